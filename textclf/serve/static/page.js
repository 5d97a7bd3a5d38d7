// The page: asks /predict as you type. Its state is in the fragment of a link, which a browser sends to nobody.

import * as files from "./files.js";
import { Panel } from "./panel.js";
import { find, make, percent } from "./parts.js";
import { Gone, ask, back } from "./server.js";

const LONGEST_LINK = 30000; // characters; some programs cut longer ones
const SAY_AFTER = 700; // milliseconds without a change before the label is announced

// A lone surrogate, half of a character, is nothing that UTF-8 can say.
const wellFormed = (text) => (text.toWellFormed ? text.toWellFormed() : text);

// The stops of the slider: any, then each precision that a run has learned a threshold for.
let stops = [null];

const state = () => ({
  text: wellFormed(find("text").value), topK: Number(find("top-k").value), precision: stops[Number(find("precision").value)],
});

function about(run) {
  const figures = Object(run.trained.test);
  const [score, value] = run.several ? ["micro-F1", figures.micro_f1] : ["accuracy", figures.accuracy];
  const accuracy = typeof value === "number" ? `, ${percent(value)} ${score} on test` : "";
  const corpus = typeof run.trained.corpus === "string" ? ` from ${run.trained.corpus}` : "";
  return `${run.labels.length} labels${corpus}${accuracy}`;
}

async function start() {
  try {
    build((await ask("/model")).runs);
    find("error").hidden = true;
  } catch (error) {
    find("error").textContent = error.message;
    find("error").hidden = false;
    if (error instanceof Gone) back().then(start);
  }
}

function build(runs) {
  find("main").classList.toggle("two", runs.length > 1);
  find("about").textContent = runs.map(about).join("  \u00b7  ");
  const panels = runs.map((run) => new Panel(run, () => announce(panels)));
  offerLabels(Math.max(...runs.map((run) => run.labels.length)));
  offerPrecisions(runs);
  files.start(runs, () => state().precision);
  const update = () => {
    const { text } = state();
    find("size").textContent = text ? `${[...text].length.toLocaleString("en")} characters` : "";
    link();
    for (const panel of panels) panel.ask(state());
  };
  find("text").addEventListener("input", update);
  find("top-k").addEventListener("change", update);
  find("precision").addEventListener("input", () => {
    showPrecision(runs);
    files.forget(); // what was labelled with another precision
    update();
  });
  find("clear").addEventListener("click", () => {
    find("text").value = "";
    update();
    find("text").focus();
  });
  const restored = () => {
    restore();
    showPrecision(runs);
    update();
  };
  addEventListener("hashchange", restored);
  restored();
}

function offerLabels(labels) {
  for (const option of [...find("top-k").options]) if (Number(option.value) > labels) option.remove();
  if (labels < 5) find("top-k").selectedIndex = find("top-k").length - 1;
}

// --- the precision ---

function offerPrecisions(runs) {
  const learned = new Set(runs.flatMap((run) => run.precisions.map(({ target }) => target)));
  stops = [null, ...[...learned].sort((a, b) => a - b)];
  find("precision").max = String(stops.length - 1);
  find("precision-choice").hidden = stops.length < 2;
}

function showPrecision(runs) {
  const { precision } = state();
  const asked = precision ? percent(precision) : "any";
  find("precision-value").textContent = asked;
  find("precision").setAttribute("aria-valuetext", asked);
  find("costs").replaceChildren(...runs.map((run) => make("li", "", (runs.length > 1 ? `${run.name}: ` : "") + cost(run, precision))));
}

// What a run's answers are worth at a precision, as measured on its validation documents.
function cost(run, precision) {
  const right = (share) => (typeof share === "number" ? `, ${percent(share)} of them right` : "");
  if (!precision) return run.several ? "labels as learned" : `on validation: a label for every text${right(Object(run.trained.validation).accuracy)}`;
  const found = run.precisions.find(({ target }) => target >= precision);
  if (!found) return "this precision was not shown";
  const given = run.several || found.coverage === null ? "labels" : `labels for ${percent(found.coverage)} of the texts`;
  return `on validation: ${given}${right(found.precision)}; from a probability of ${percent(found.threshold)}`;
}

// --- the link ---

function link() {
  const { text, topK, precision } = state();
  const address = `#${new URLSearchParams({ text, top_k: topK, ...(precision && { precision }) })}`;
  find("link").href = address;
  find("link").hidden = !text || address.length > LONGEST_LINK;
}

// Takes text, number of labels and precision from the fragment, if it has a text; what is not offered is ignored.
function restore() {
  if (!location.hash.startsWith("#text=")) return;
  const wanted = new URLSearchParams(location.hash.slice(1));
  find("text").value = wanted.get("text");
  const topK = [...find("top-k").options].find(({ value }) => value === wanted.get("top_k"));
  if (topK) topK.selected = true;
  find("precision").value = String(Math.max(stops.indexOf(Number(wanted.get("precision"))), 0));
}

// --- what is announced ---

let announcing = 0;

// Has a screen reader say the labels, and nothing else, when the typing pauses.
function announce(panels) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const labels = panels.filter((panel) => panel.label);
    const said = labels.map((panel) => (panels.length > 1 ? `${panel.run.name}: ${panel.label}` : panel.label)).join("; ");
    if (find("said").textContent !== said) find("said").textContent = said;
  }, SAY_AFTER);
}

start();
