// Requests to the server that this page comes from.

const LOOK_EVERY = 2000; // milliseconds, while the server does not answer

export class Gone extends Error {
  constructor() {
    super("The server does not answer. Is it still running?");
  }
}

// A response of the server; throws an Error with its reason if it refuses, Gone if it does not answer.
export async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Gone();
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `The server answered with ${response.status}.`);
}

export async function ask(path, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  return (await request(path, options)).json();
}

// The lines of JSON about a file, one by one; Gone if they break off.
export async function* label(file, about, signal) {
  const response = await request(`/file?${new URLSearchParams(about)}`, {
    method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file, signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let begun = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw error instanceof TypeError ? new Gone() : error; // a connection that breaks is a TypeError
    });
    if (done) return;
    const lines = (begun + value).split("\n");
    begun = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

let looking = null;

// Resolves when a server that did not answer does so again.
export function back() {
  looking ??= (async () => {
    do await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    while (!(await fetch("/health").then((response) => response.ok, () => false)));
    looking = null;
  })();
  return looking;
}
