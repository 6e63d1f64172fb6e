// What the compiler objects to, each with the way to its cell and line.

import { element } from "./dom.js";

function place(problem) {
  if (!problem.cell) return "the notebook";
  return `cell ${problem.cell}${problem.line ? `, line ${problem.line}` : ""}`;
}

export class Problems {
  constructor() {
    this.node = element("div", { class: "podline-problems" });
    this.key = "";
    this.last = -1;
  }

  update(watched) {
    this.watched = watched;
    const found = watched.outline?.problems ?? [];
    const key = JSON.stringify(found);
    if (key === this.key) return;
    this.key = key;
    this.last = -1;
    const list = element("ul", { class: "podline-list" }, found.map((one) => this.#line(one)));
    this.node.replaceChildren(found.length ? list : element("p", {}, "No problems."));
  }

  #line(problem) {
    const go = () => this.watched.jump(problem.cell, problem.line);
    const where = `${problem.severity}, ${place(problem)}`;
    const head = problem.cell
      ? element("button", { type: "button", class: "podline-link", onclick: go }, where)
      : element("span", {}, where);
    return element(
      "li",
      { class: `podline-problem podline-${problem.severity}` },
      head,
      element("div", {}, problem.message),
      problem.quote ? element("code", {}, problem.quote.trim()) : null,
      problem.fix ? element("div", { class: "podline-fix" }, `Fix: ${problem.fix}`) : null,
    );
  }

  /** Goes to the next problem that has a place. */
  next() {
    const found = (this.watched?.outline?.problems ?? []).filter((problem) => problem.cell);
    if (!found.length) return;
    this.last = (this.last + 1) % found.length;
    this.watched.jump(found[this.last].cell, found[this.last].line);
  }
}
