// Labels a file. The server reads it, as the command line does; the user sees the first rows before all are labelled.

import { counted, find, make, table } from "./parts.js";
import { Gone, back, label } from "./server.js";

const MOST_FILE_BYTES = 50000000; // the server takes no larger file
const PREVIEWED_BYTES = 1000000; // of its beginning, for the first rows

// The file that is open, and its answer as CSV.
const opened = { file: null, columns: [], text: [], csv: [], rows: 0, stop: new AbortController(), url: "" };
let precision = () => null;

export function start(runs, chosenPrecision) {
  precision = chosenPrecision;
  find("run").replaceChildren(...runs.map((run) => new Option(run.name, run.name)));
  find("run-choice").hidden = runs.length < 2;
  find("file").addEventListener("change", (event) => {
    open(event.target.files[0]);
    event.target.value = "";
  });
  find("column").addEventListener("change", choose);
  find("label-file").addEventListener("click", labelFile);
  find("run").addEventListener("change", () => open(opened.file)); // its training texts may have been in another column
  acceptDrops();
}

// What was said of a file before is over: another one, another column or another precision is asked for.
export function forget() {
  opened.stop.abort();
  opened.stop = new AbortController();
  Object.assign(opened, { csv: [], rows: 0 });
  for (const id of ["download", "progress"]) find(id).hidden = true;
  for (const id of ["file-status", "file-count"]) find(id).textContent = "";
  trouble("");
}

async function open(file) {
  if (!file) return;
  forget();
  opened.file = file;
  find("preview").hidden = true;
  if (file.size > MOST_FILE_BYTES) {
    return trouble(`${file.name} is too large for this page. Use: textclf predict --input FILE --format csv`);
  }
  const { signal } = opened.stop;
  await attempt(signal, async () => {
    for await (const piece of label(file.slice(0, PREVIEWED_BYTES), { ...about(), preview: true }, signal)) {
      if (piece.error) throw new Error(piece.error);
      if (!signal.aborted) showPreview(piece);
    }
  });
}

const about = () => ({ name: opened.file.name.slice(-100), run: find("run").value });

// Runs a step of a file, and shows why it failed unless it was stopped by another one.
async function attempt(signal, step) {
  try {
    await step();
  } catch (error) {
    if (signal.aborted) return;
    trouble(error.message);
    if (error instanceof Gone) back().then(() => signal.aborted || trouble(""));
  } finally {
    if (!signal.aborted) find("progress").hidden = true;
  }
}

function showPreview({ columns, text, first }) {
  Object.assign(opened, { columns, text });
  if (!first.length && !columns.length) return status(`${opened.file.name} has no rows.`);
  const names = columns.length ? columns.map((name, place) => name || `column ${place + 1}`) : ["text"];
  find("preview-name").textContent = `The first ${first.length === 1 ? "row" : `${counted(first.length, "row")}`} of ${opened.file.name}`;
  const rows = first.map(({ cells, error }) => cells || [error]);
  const shown = table([names, ...rows], find("preview-name").textContent);
  first.forEach(({ cells }, place) => {
    if (!cells) shown.querySelector("tbody").rows[place].cells[0].colSpan = names.length;
  });
  find("preview-rows").replaceChildren(shown);
  offerColumns(names, text);
  find("preview").hidden = false;
  choose();
  (find("label-file").disabled ? find("column") : find("label-file")).focus();
}

function offerColumns(names, text) {
  const several = text.length > 1 ? [new Option(text.join(" + "), "")] : [];
  const unclear = text.length ? [] : [new Option("Choose one", "")];
  find("column").replaceChildren(...several, ...unclear, ...names.map((name, place) => new Option(name, place)));
  if (text.length === 1) find("column").value = String(opened.columns.indexOf(text[0]));
  find("column-choice").hidden = opened.columns.length < 2;
}

// Marks the chosen column, or the columns that were found, in the preview.
function choose() {
  forget();
  const column = find("column").value;
  const isChosen = (place) => (column === "" ? opened.text.includes(opened.columns[place]) : String(place) === column);
  for (const row of find("preview-rows").querySelectorAll("tr")) {
    [...row.cells].forEach((cell, place) => cell.classList.toggle("chosen", !opened.columns.length || isChosen(place)));
  }
  const isClear = column !== "" || opened.text.length > 0 || !opened.columns.length;
  find("label-file").disabled = !isClear;
  if (!isClear) status("Which column holds the texts? The first line of the file names them.");
}

async function labelFile() {
  forget();
  const { signal } = opened.stop;
  const column = find("column").value;
  const target = precision();
  const asked = { ...about(), ...(opened.columns.length && column && { column }), ...(target && { target_precision: target }) };
  find("file-count").textContent = `Sending ${opened.file.name}.`;
  find("progress").hidden = false;
  await attempt(signal, async () => {
    let done = false;
    for await (const piece of label(opened.file, asked, signal)) {
      if (signal.aborted) return;
      done = show(piece) || done;
    }
    if (!done) throw new Error("The answer ended too early.");
  });
  if (!signal.aborted) find("file-count").textContent = opened.rows && find("download").hidden ? `Stopped after ${counted(opened.rows, "row")}.` : "";
}

// Shows a piece of the answer to a file. True: it was the last.
function show({ csv, rows, summary, error }) {
  if (error) throw new Error(error);
  if (csv) {
    opened.csv.push(csv);
    opened.rows = rows;
    find("file-count").textContent = `${counted(rows, "row")} so far`;
  }
  if (!summary) return false;
  const done = rows ? `${counted(rows, "row")} of ${opened.file.name} ${rows === 1 ? "is" : "are"} labelled.` : `${opened.file.name} has no rows.`;
  status([done, ...summary].join("\n"));
  if (rows) offer();
  return true;
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

const status = (message) => { find("file-status").textContent = message; };

function trouble(why) {
  find("file-error").textContent = why;
  find("file-error").hidden = !why;
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
