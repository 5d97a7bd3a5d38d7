// One run and its answer on the page.

import { find, make, percent, signed, table } from "./parts.js";
import { Gone, ask, back } from "./server.js";

const LONGEST_EXPLAINED = 20000; // characters; the server explains no longer text
const FAINT = 0.08; // of the strongest contribution: below, a word is not marked
const STRONGEST = 5; // words that are listed

// One request at a time: what is typed meanwhile is asked when the answer is there.
export class Panel {
  // said: called with the label, or nothing, whenever it may have changed.
  constructor(run, said) {
    this.run = run;
    this.said = said;
    this.label = "";
    this.busy = false;
    this.next = this.last = null;
    const copy = find("result-template").content.cloneNode(true);
    this.card = copy.firstElementChild;
    this.part = (name) => this.card.querySelector("." + name);
    this.part("run").textContent = run.name;
    this.part("model-card").append(...run.about.flatMap(({ title, texts, table: rows }) => [
      make("h3", "", title),
      ...texts.map((text) => make("p", "", text)),
      ...(rows.length ? [table(rows, `${title}: ${run.name}`)] : []),
    ]));
    find("results").append(copy);
  }

  // wanted: text, topK and precision, null for any.
  async ask(wanted) {
    this.next = wanted;
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      this.last = this.next;
      this.next = null;
      await this.answer(this.last);
    }
    this.busy = false;
  }

  async answer({ text, topK, precision }) {
    if (!text.trim()) return this.clear();
    if (precision && !this.run.precisions.some(({ target }) => target >= precision)) {
      return this.clear(`This model did not show a precision of ${percent(precision)} on the validation documents.`);
    }
    const explain = [...text].length <= LONGEST_EXPLAINED;
    const asked = { text, top_k: topK, explain, target_precision: precision, run: this.run.name };
    try {
      const { predictions: [found] } = await ask("/predict", asked);
      if (found.error) return this.clear(found.error);
      this.show(text, found, precision);
    } catch (error) {
      this.clear(error.message);
      if (error instanceof Gone) back().then(() => this.next || this.ask(this.last));
    }
  }

  clear(why = "") {
    this.part("waiting").hidden = Boolean(why);
    this.part("answer").hidden = true;
    this.trouble(why);
    this.say("");
  }

  trouble(why) {
    this.part("trouble").textContent = why;
    this.part("trouble").hidden = !why;
  }

  say(label) {
    this.label = label;
    this.said();
  }

  show(text, found, precision) {
    this.trouble("");
    this.part("waiting").hidden = true;
    this.part("answer").hidden = false;
    const several = found.labels; // of a model that gives a text several labels, perhaps none
    const label = (several ? several.join(", ") : found.label) || "no label";
    this.part("label").textContent = label;
    this.part("percent").textContent = several || found.rejected ? "" : percent(found.probability);
    const notes = this.notes(found, precision);
    this.part("note").textContent = notes.join(" ");
    this.part("note").hidden = !notes.length;
    this.part("bars").replaceChildren(...found.top.map((score) => bar(score, several?.includes(score.label))));
    this.showWords(text, found.tokens || []);
    this.say(label);
  }

  notes(found, precision) {
    const notes = [];
    if (found.unlike) notes.push("The model does not know most of these words; do not trust it here.");
    else if (found.rejected) {
      const { threshold } = this.run.precisions.find(({ target }) => target >= precision);
      notes.push(`Rejected: a precision of ${percent(precision)} needs a probability of ${percent(threshold)}.`);
    }
    if (found.truncated) notes.push("The text is so long that the model read only its beginning.");
    if ((found.labels || found.rejected) && found.tokens) notes.push(`The words are marked for ${found.explained}.`);
    if (!found.tokens) notes.push("The text is too long to show which words decided it.");
    return notes;
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

function bar({ label, probability }, given) {
  const track = make("span", "track");
  const fill = make("span", "fill");
  fill.style.setProperty("--share", probability.toFixed(4));
  track.append(fill);
  track.setAttribute("aria-hidden", "true");
  return make("li", given ? "given" : "", "", make("span", "name", label), track, make("span", "number", percent(probability)));
}
