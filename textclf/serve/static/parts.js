// Elements and numbers as all pages show them. What comes from outside becomes textContent, never markup.

export const find = (id) => document.getElementById(id);

export function make(tag, className = "", text = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  element.append(...children);
  return element;
}

// A table that scrolls by itself, also by keyboard; the first row has the names of the columns.
export function table([head, ...rows], name) {
  const cells = (tag, row) => make("tr", "", "", ...row.map((cell) => make(tag, "", cell)));
  const found = make("table", "", "", make("thead", "", "", cells("th", head)), make("tbody", "", "", ...rows.map((row) => cells("td", row))));
  const around = make("div", "wide", "", found);
  around.tabIndex = 0;
  around.setAttribute("role", "region");
  around.setAttribute("aria-label", name);
  return around;
}

export const percent = (share) => (share >= 0.9995 && share < 1 ? "> 99.9" : (100 * share).toFixed(1)) + " %";
export const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2);
export const counted = (number, name) => `${number.toLocaleString("en")} ${name}${number === 1 ? "" : "s"}`;
