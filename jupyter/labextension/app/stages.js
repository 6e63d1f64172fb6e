// Each stage's inputs and outputs, and the notebook's parameters.

import { colour, element } from "./dom.js";

function names(list) {
  return list.length ? list.map((name) => element("code", {}, name)) : "nothing";
}

export class Stages {
  constructor() {
    this.node = element("div", { class: "podline-stages" });
    this.key = "";
  }

  update(watched) {
    const stages = watched.outline?.stages ?? [];
    const key = JSON.stringify(stages);
    if (key === this.key) return;
    this.key = key;
    this.node.replaceChildren(
      stages.length
        ? element("ul", { class: "podline-list" }, stages.map((stage) => this.#line(watched, stage)))
        : element("p", {}, "No stages yet."),
    );
  }

  #line(watched, stage) {
    const mark = element("span", { class: "podline-mark", "aria-hidden": "true" });
    mark.style.background = colour(watched.place(stage.name));
    const reads = Object.entries(stage.reads).map(([maker, read]) =>
      element("li", {}, names(read), ` from ${maker}`),
    );
    const go = () => watched.jump(stage.cells[0]);
    const settings = Object.entries(stage.settings)
      .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
      .join(", ");
    return element(
      "li",
      { class: "podline-stage" },
      mark,
      element("button", { type: "button", class: "podline-link", onclick: go }, stage.name),
      element("div", {}, "reads ", reads.length ? element("ul", {}, reads) : "nothing"),
      element("div", {}, "hands on ", names(stage.hands_on)),
      settings ? element("div", { class: "podline-hint" }, settings) : null,
    );
  }
}
