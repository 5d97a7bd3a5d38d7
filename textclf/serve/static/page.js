// The page: asks /predict as you type and for whole files. What comes from outside is shown by textContent alone.
"use strict";

const LONGEST_EXPLAINED = 20000; // characters; the server explains no longer text
const MOST_FILE_BYTES = 50000000; // the server takes no larger file
const FAINT = 0.08; // of the strongest contribution: below, a word is not marked
const STRONGEST = 5; // words that are listed

const find = (id) => document.getElementById(id);
const make = (tag, className, text = "") => {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
};
const percent = (share) => (share >= 0.9995 && share < 1 ? "> 99.9" : (100 * share).toFixed(1)) + " %";

function showError(message) {
  find("error").textContent = message;
  find("error").hidden = !message;
}

const GONE = "The server does not answer. Is it still running?";

// A response of the server; throws an Error with its reason if it refuses.
async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(GONE);
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `The server answered with ${response.status}.`);
}

async function ask(path, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  return (await request(path, options)).json();
}

// A lone surrogate, half of a character, is nothing that UTF-8 can say.
const wellFormed = (text) => (text.toWellFormed ? text.toWellFormed() : text);

// One run and its card on the page. One request at a time: what is typed meanwhile is asked when the answer is there.
class Panel {
  constructor(run) {
    this.run = run;
    this.busy = false;
    this.next = null;
    const copy = find("result-template").content.cloneNode(true);
    this.card = copy.firstElementChild;
    this.part = (name) => this.card.querySelector("." + name);
    this.part("run").textContent = run.name;
    this.part("model-card").textContent = run.card || "This model has no card.";
    find("results").append(copy);
  }

  async ask(text, topK) {
    this.next = { text, topK };
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      const { text, topK } = this.next;
      this.next = null;
      if (!text.trim()) {
        this.clear();
        continue;
      }
      const explain = [...text].length <= LONGEST_EXPLAINED;
      try {
        const answer = await ask("/predict", { text, top_k: topK, explain, run: this.run.name });
        const [found] = answer.predictions;
        if (found.error) this.clear();
        else this.show(text, found);
        showError(found.error || "");
      } catch (error) {
        showError(error.message);
      }
    }
    this.busy = false;
  }

  clear() {
    this.part("waiting").hidden = false;
    this.part("answer").hidden = true;
  }

  show(text, found) {
    this.part("waiting").hidden = true;
    this.part("answer").hidden = false;
    const several = found.labels; // of a model that gives a text several labels, perhaps none
    this.part("label").textContent = several ? several.join(", ") || "no label" : found.label;
    this.part("percent").textContent = several ? "" : percent(found.probability);
    const notes = [];
    if (found.unlike) notes.push("The model does not know most of these words; do not trust it here.");
    if (found.truncated) notes.push("The text is so long that the model read only its beginning.");
    if (several && found.tokens) notes.push(`The words are marked for ${found.explained}.`);
    if (!found.tokens) notes.push("The text is too long to show which words decided it.");
    this.part("note").textContent = notes.join(" ");
    this.part("note").hidden = !notes.length;
    this.part("bars").replaceChildren(...found.top.map((score) => bar(score, several?.includes(score.label))));
    this.showWords(text, found.tokens || []);
  }

  showWords(text, tokens) {
    const characters = [...text]; // places are counted in these, not in halves of them
    const piece = (start, end) => characters.slice(start, end).join("");
    const largest = Math.max(...tokens.map((token) => Math.abs(token.contribution)), 1e-9);
    const pieces = [];
    let end = 0;
    for (const token of tokens) {
      if (token.start < end) continue; // several tokens of one character
      const strength = Math.abs(token.contribution) / largest;
      pieces.push(piece(end, token.start));
      end = token.end;
      const word = piece(token.start, token.end);
      if (strength < FAINT) {
        pieces.push(word);
        continue;
      }
      const mark = make("span", "word " + (token.contribution > 0 ? "for" : "against"), word);
      mark.style.setProperty("--strength", strength.toFixed(3));
      mark.title = signed(token.contribution);
      pieces.push(mark);
    }
    this.part("words").replaceChildren(...pieces, piece(end));
    const strongest = [...tokens].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
    this.part("strongest").textContent = strongest
      .slice(0, STRONGEST)
      .map((token) => `${piece(token.start, token.end)} ${signed(token.contribution)}`)
      .join(", ");
  }
}

const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2);

function bar({ label, probability }, given) {
  const item = make("li", given ? "given" : "");
  const track = make("span", "track");
  const fill = make("span", "fill");
  fill.style.setProperty("--share", probability.toFixed(4));
  track.append(fill);
  track.setAttribute("aria-hidden", "true");
  item.append(make("span", "name", label), track, make("span", "number", percent(probability)));
  return item;
}

// --- files ---

// The file that is open, and its answer as CSV. The server reads the file, as the command line does.
const opened = { file: null, csv: [], rows: 0, stop: new AbortController(), url: "" };

async function open(file) {
  if (!file) return;
  opened.file = file;
  find("column-choice").hidden = true;
  find("column").replaceChildren();
  await labelFile();
}

async function labelFile() {
  const { file } = opened;
  opened.stop.abort(); // another file or column makes the one before stop
  const stop = opened.stop = new AbortController();
  Object.assign(opened, { csv: [], rows: 0 });
  showError("");
  find("download").hidden = true;
  if (file.size > MOST_FILE_BYTES) {
    return fileStatus(`${file.name} is too large for this page. Use: textclf predict --input FILE --format csv`);
  }
  fileStatus(`Sending ${file.name}.`);
  find("progress").hidden = false;
  try {
    let done = false;
    for await (const piece of piecesOf(file, stop.signal)) {
      if (stop.signal.aborted) return;
      done = show(piece) || done;
    }
    if (!done) throw new Error("The answer ended too early.");
  } catch (error) {
    if (stop.signal.aborted) return;
    fileStatus(`Stopped after ${count(opened.rows)} of ${file.name}.`);
    showError(error instanceof TypeError ? GONE : error.message); // a connection that breaks is a TypeError
  } finally {
    if (!stop.signal.aborted) find("progress").hidden = true;
  }
}

// The answer to a file as the server sends it: a line of JSON for each piece.
async function* piecesOf(file, signal) {
  const column = find("column").value;
  const about = { name: file.name.slice(-100), run: find("run").value, ...(column && { column }) };
  const response = await request(`/file?${new URLSearchParams(about)}`, {
    method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file, signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let begun = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (begun + value).split("\n");
    begun = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

// Shows a piece of the answer to a file. True: it was the last.
function show({ columns, text, csv, rows, summary, error }) {
  if (error) throw new Error(error);
  if (columns) {
    offerColumns(columns, text);
    if (columns.length && !text.length) {
      fileStatus("Which column holds the texts? The first line of the file names them.");
      find("column").focus();
      return true;
    }
  }
  if (csv) {
    opened.csv.push(csv);
    opened.rows = rows;
    fileStatus(`${count(rows)} so far`);
  }
  if (!summary) return false;
  const done = rows ? `${count(rows)} of ${opened.file.name} ${rows === 1 ? "is" : "are"} labelled.` : `${opened.file.name} has no rows.`;
  fileStatus([done, ...summary].join("\n"));
  if (rows) offer();
  return true;
}

function offerColumns(columns, text) {
  if (find("column").options.length) return; // chosen already
  const found = text.length ? text.map((name) => name || "a column without a name").join(" + ") : "Choose one";
  const all = columns.map((name, place) => new Option(name || `column ${place + 1}`, place));
  find("column").replaceChildren(...(text.length === 1 ? [] : [new Option(found, "")]), ...all);
  if (text.length === 1) find("column").value = String(columns.indexOf(text[0]));
  find("column-choice").hidden = columns.length < 2;
}

function offer() {
  URL.revokeObjectURL(opened.url);
  opened.url = URL.createObjectURL(new Blob(opened.csv, { type: "text/csv" }));
  const link = find("download");
  link.href = opened.url;
  link.download = opened.file.name.replace(/\.\w+$/, "") + "-labelled.csv";
  link.textContent = `Download ${link.download}`;
  link.hidden = false;
}

const count = (rows) => `${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;
const fileStatus = (message) => { find("file-status").textContent = message; };

// --- the page ---

function about(run) {
  const { corpus, test } = run.trained;
  const [score, value] = run.several ? ["micro-F1", test?.micro_f1] : ["accuracy", test?.accuracy];
  const accuracy = value === undefined ? "" : `, ${percent(value)} ${score} on test`;
  return `${run.labels.length} labels${corpus ? ` from ${corpus}` : ""}${accuracy}`;
}

async function start() {
  let runs;
  try {
    ({ runs } = await ask("/model"));
  } catch (error) {
    showError(error.message);
    return;
  }
  find("main").classList.toggle("two", runs.length > 1);
  find("about").textContent = runs.map(about).join("  \u00b7  ");
  const panels = runs.map((run) => new Panel(run));
  find("run").replaceChildren(...runs.map((run) => new Option(run.name, run.name)));
  find("run-choice").hidden = runs.length < 2;
  const labels = Math.max(...runs.map((run) => run.labels.length));
  for (const option of [...find("top-k").options]) if (Number(option.value) > labels) option.remove();
  if (labels < 5) find("top-k").selectedIndex = find("top-k").length - 1;

  const update = () => {
    const text = wellFormed(find("text").value);
    find("size").textContent = text ? `${[...text].length.toLocaleString("en")} characters` : "";
    for (const panel of panels) panel.ask(text, Number(find("top-k").value));
  };
  find("text").addEventListener("input", update);
  find("top-k").addEventListener("change", update);
  find("clear").addEventListener("click", () => {
    find("text").value = "";
    update();
    find("text").focus();
  });
  find("file").addEventListener("change", (event) => {
    open(event.target.files[0]);
    event.target.value = "";
  });
  find("column").addEventListener("change", () => labelFile());
  find("run").addEventListener("change", () => open(opened.file)); // whose training texts may have been in another column
  acceptDrops();
  update();
}

function acceptDrops() {
  const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  const dropping = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dropping(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || dropping(false));
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dropping(false);
    open(event.dataTransfer.files[0]);
  });
}

start();
