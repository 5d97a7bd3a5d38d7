// The page: asks /predict as you type and for whole files. What comes from outside is shown by textContent alone.
"use strict";

const LONGEST_EXPLAINED = 20000; // characters; the server explains no longer text
const MOST_TEXTS = 256; // of a request
const MOST_CHARACTERS = 150000; // of a request: below its megabyte even where each is six bytes of JSON
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

async function ask(path, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `The server answered with ${response.status}.`);
  return answer;
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
        this.show(text, answer.predictions[0]);
        showError("");
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
    this.part("label").textContent = found.label;
    this.part("percent").textContent = percent(found.probability);
    const notes = [];
    if (found.unknown > 0.5) notes.push("The model does not know most of these words; do not trust it here.");
    if (!found.tokens) notes.push("The text is too long to show which words decided it.");
    this.part("note").textContent = notes.join(" ");
    this.part("note").hidden = !notes.length;
    this.part("bars").replaceChildren(...found.top.map(bar));
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

function bar({ label, probability }) {
  const item = make("li", "");
  const track = make("span", "track");
  const fill = make("span", "fill");
  fill.style.setProperty("--share", probability.toFixed(4));
  track.append(fill);
  track.setAttribute("aria-hidden", "true");
  item.append(make("span", "name", label), track, make("span", "number", percent(probability)));
  return item;
}

// --- files ---

// RFC 4180: cells in quotes may hold commas, line ends and doubled quotes. Rows of [cell, ...].
function parseCsv(content) {
  const rows = [];
  let row = [], cell = "", quoted = false;
  for (let i = 0; i < content.length; i++) {
    const c = content[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (content[i + 1] === '"') { cell += c; i++; }
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === ",") { row.push(cell); cell = ""; }
    else if (c === "\n" || c === "\r") {
      if (c === "\r" && content[i + 1] === "\n") i++;
      row.push(cell); cell = "";
      if (row.length > 1 || row[0] !== "") rows.push(row);
      row = [];
    } else cell += c;
  }
  if (cell !== "" || row.length) rows.push([...row, cell]);
  return rows;
}

const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const noFormula = (cell) => (/^[=+\-@\t\r]/.test(cell) ? "'" + cell : cell); // a spreadsheet would run it

// Texts in the parts that go into a request each.
function* inParts(texts) {
  let part = [], characters = 0;
  for (const text of texts) {
    if (part.length && (part.length === MOST_TEXTS || characters + text.length > MOST_CHARACTERS)) {
      yield part;
      part = [];
      characters = 0;
    }
    part.push(text);
    characters += text.length;
  }
  if (part.length) yield part;
}

const opened = { name: "", rows: [], header: [], turn: 0, url: "" };

async function open(file) {
  if (!file) return;
  showError("");
  const content = (await file.text()).replace(/^\ufeff/, "");
  opened.name = file.name;
  if (/\.csv$/i.test(file.name)) {
    [opened.header = [], ...opened.rows] = parseCsv(content);
  } else {
    opened.header = ["text"];
    opened.rows = content.replace(/\r?\n$/, "").split(/\r?\n/).map((line) => [line]);
  }
  const names = opened.header.map((name, place) => new Option(name || `column ${place + 1}`, place));
  find("column").replaceChildren(...names);
  const usual = opened.header.findIndex((name) => /^(text|texts|body|content|sentence)$/i.test(name.trim()));
  find("column").value = String(Math.max(usual, 0));
  find("column-choice").hidden = opened.header.length < 2;
  await labelFile();
}

async function labelFile() {
  const turn = ++opened.turn; // another file or column makes this one stop
  const column = Number(find("column").value);
  const texts = opened.rows.map((row) => wellFormed(row[column] ?? ""));
  const run = find("run").value || undefined;
  find("download").hidden = true;
  if (!texts.length) return fileStatus(`${opened.name} has no rows.`);
  find("progress").hidden = false;
  const answers = [];
  try {
    for (const part of inParts(texts)) {
      find("progress").value = answers.length / texts.length;
      fileStatus(`${answers.length.toLocaleString("en")} of ${texts.length.toLocaleString("en")} rows`);
      const answer = await ask("/predict", { texts: part, run });
      if (turn !== opened.turn) return;
      answers.push(...answer.predictions);
    }
  } catch (error) {
    fileStatus(`Stopped after ${answers.length} of ${texts.length} rows.`);
    showError(error.message);
    return;
  } finally {
    if (turn === opened.turn) find("progress").hidden = true;
  }
  const lines = [[...opened.header, "predicted_label", "probability"]];
  opened.rows.forEach((row, place) => {
    const { label, probability } = answers[place];
    const filled = opened.header.map((_, cell) => row[cell] ?? "");
    lines.push([...filled, noFormula(label), probability.toFixed(6)]);
  });
  offer(lines.map((line) => line.map(quote).join(",") + "\n").join(""));
  fileStatus(`${texts.length.toLocaleString("en")} rows of ${opened.name} are labelled.`);
}

function offer(content) {
  URL.revokeObjectURL(opened.url);
  opened.url = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
  const link = find("download");
  link.href = opened.url;
  link.download = opened.name.replace(/\.\w+$/, "") + "-labelled.csv";
  link.textContent = `Download ${link.download}`;
  link.hidden = false;
}

const fileStatus = (message) => { find("file-status").textContent = message; };

// --- the page ---

function about(run) {
  const { corpus, test } = run.trained;
  const accuracy = test && test.accuracy !== undefined ? `, ${percent(test.accuracy)} accuracy on test` : "";
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
  for (const id of ["column", "run"]) find(id).addEventListener("change", () => opened.rows.length && labelFile());
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
