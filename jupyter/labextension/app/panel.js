// The panel: what is known of the notebook that is in front, and what can be done with it.

import { element } from "./dom.js";
import { Form } from "./form.js";
import { Graph } from "./graph.js";
import { Parameters } from "./parameters.js";
import { Problems } from "./problems.js";
import { RunView } from "./runs.js";
import { Stages } from "./stages.js";

export class Panel {
  /** `actions`: what can be done, by name; each takes what is watched. */
  constructor(actions) {
    this.actions = actions;
    this.alert = element("p", { class: "podline-alert", role: "alert", hidden: true });
    this.note = element("p", { class: "podline-note", role: "status", hidden: true });
    this.title = element("h2", {}, "podline");
    this.parts = {
      cell: new Form(),
      problems: new Problems(),
      graph: new Graph(),
      run: new RunView(actions),
      parameters: new Parameters(),
      stages: new Stages(),
    };
    const button = (text, action) =>
      element("button", { type: "button", onclick: () => actions[action](this.watched) }, text);
    this.buttons = element(
      "div",
      { class: "podline-buttons" },
      button("Run here", "run"),
      button("Put into Airflow", "deploy"),
      button("Run in Airflow", "runInAirflow"),
      button("Last run in Airflow", "lastInAirflow"),
    );
    const { cell, problems, graph, run, parameters, stages } = this.parts;
    this.heads = {};
    this.body = element(
      "div",
      { hidden: true },
      this.buttons,
      this.#section("cell", "Selected cell", cell),
      this.#section("problems", "Problems", problems),
      this.#section("graph", "Graph", graph),
      this.#section("run", "Run", run),
      this.#section("parameters", "Parameters", parameters),
      this.#section("stages", "Inputs and outputs", stages),
    );
    this.empty = element("p", {}, "Open a notebook to see its stages.");
    this.node = element(
      "div",
      { class: "podline-panel", "data-podline": "panel", role: "region", "aria-label": "podline" },
      this.title, this.alert, this.note, this.empty, this.body,
    );
  }

  #section(name, title, part) {
    this.heads[name] = element("summary", {}, title);
    return element("details", { open: true, "data-part": name }, this.heads[name], part.node);
  }

  /** Shows a notebook; null: there is none. */
  show(watched) {
    if (watched !== this.watched) this.say("");
    this.watched = watched;
    this.empty.hidden = Boolean(watched);
    this.body.hidden = !watched;
    if (!watched) {
      this.title.textContent = "podline";
      this.#complain("");
      return;
    }
    const name = watched.outline?.notebook ?? watched.path.replace(/^.*\/|\.ipynb$/g, "");
    if (this.title.textContent !== name) this.title.textContent = name;
    this.#complain(watched.failure);
    const count = watched.outline?.problems.length ?? 0;
    const head = count ? `Problems (${count})` : "Problems";
    if (this.heads.problems.textContent !== head) this.heads.problems.textContent = head;
    for (const part of Object.values(this.parts)) part.update(watched);
  }

  #complain(text) {
    if (this.alert.textContent !== text) this.alert.textContent = text;
    this.alert.hidden = !text;
  }

  /** Says how something that was asked for went. */
  say(text, wrong = false) {
    this.note.textContent = text;
    this.note.hidden = !text;
    this.note.classList.toggle("podline-problem-text", wrong);
  }

  /** Puts the cursor into the form of the selected cell. */
  edit() {
    this.heads.cell.parentNode.open = true;
    this.parts.cell.focus();
  }
}
