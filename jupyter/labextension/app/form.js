// The form of the selected cell: each change of a field is one change of its tags.

import { element } from "./dom.js";
import * as tags from "./tags.js";

// Fields of a stage's first cell: the tag's word, its label, an example, and whether it may say many.
const FIELDS = [
  ["retry", "Retry", "3:30s", false, "times, then perhaps interval, factor and longest interval"],
  ["timeout", "Timeout of a try", "30m", false, "seconds, or with s, m, h or d"],
  ["image", "Image", "registry/stage:1.2", false, "of the pod"],
  ["limit", "Limits", "cpu:2 memory:2Gi nvidia.com/gpu:1", true, "what the pod may use"],
  ["request", "Requests", "cpu:500m memory:1Gi", true, "what the pod asks for"],
  ["secret", "Secrets", "database:password:DB_PASSWORD", true, "Secret:key:VARIABLE"],
  ["ahead", "Begun ahead", "auto", false, "off, auto or a number of stages"],
  ["pool", "Pool", "gpu", false, "one of Airflow's"],
  ["priority_weight", "Priority", "10", false, "Airflow's priority_weight: the higher goes first"],
  ["max_active_tis_per_dag", "At once", "1", false, "tries of it, over all runs"],
];

let made = 0;

function labelled(text, field, hint = "") {
  const id = `podline-field-${(made += 1)}`;
  field.id = id;
  const about = hint ? element("small", { id: `${id}-hint`, class: "podline-hint" }, hint) : null;
  if (hint) field.setAttribute("aria-describedby", `${id}-hint`);
  return element("div", { class: "podline-row" }, element("label", { for: id }, text), field, about);
}

export class Form {
  constructor() {
    this.node = element("div", { class: "podline-form" });
    this.key = "";
  }

  /** Shows the form of a notebook's selected cell, unless it is shown already. */
  update(watched) {
    const cell = watched.notebook.activeCell;
    const own = cell && watched.tags(cell);
    const about = cell && watched.cell(cell.model.id);
    const stages = watched.outline?.stages.map((stage) => stage.name) ?? [];
    const problems = cell ? watched.problemsOf(cell.model.id) : [];
    const key = JSON.stringify([cell?.model.id, cell?.model.type, own, about, stages, problems]);
    if (key === this.key) return;
    this.key = key;
    Object.assign(this, { watched, cell, own, about, stages });
    const focused = this.node.contains(document.activeElement) ? document.activeElement.name : "";
    this.node.replaceChildren(...this.#content(problems).filter(Boolean));
    if (focused) this.node.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Puts the cursor into the form. */
  focus() {
    this.node.querySelector("select, input")?.focus();
  }

  #content(problems) {
    if (!this.cell) return [element("p", {}, "No cell is selected.")];
    if (this.cell.model.type !== "code") return [element("p", {}, "Only code cells have a stage.")];
    const said = tags.read(this.own);
    const parts = [this.#belongs(said), this.#kind(said)];
    if (said.kind === "step") {
      parts.push(this.#name(said), this.#waits(said));
      parts.push(...FIELDS.map((field) => this.#texts(said, ...field)));
    }
    if (["step", "", "pipeline-metrics"].includes(said.kind)) parts.push(this.#mayRaise(said));
    if (said.others.length) {
      const names = said.others.join(", ");
      parts.push(element("p", { class: "podline-hint" }, `Other tags, which stay: ${names}`));
    }
    for (const { message, fix } of problems) {
      const text = fix ? `${message}. Fix: ${fix}` : message;
      parts.push(element("p", { class: "podline-problem-text" }, text));
    }
    return parts;
  }

  #belongs(said) {
    const stage = this.about?.stage;
    if (!stage || said.name === stage) return null;
    return element("p", { class: "podline-hint" }, `The stage ${stage} runs this cell.`);
  }

  /** Writes the tags of the cell. */
  #write(change) {
    this.watched.retag([this.cell], change);
    this.watched.tell();
  }

  #kind(said) {
    const select = element(
      "select",
      { name: "kind", onchange: () => this.#setKind(select.value) },
      Object.entries(tags.KINDS).map(([value, text]) =>
        element("option", { value, selected: value === said.kind }, text),
      ),
    );
    return labelled("This cell", select);
  }

  #setKind(kind) {
    this.#write((own) => tags.withKind(own, kind, kind === "step" ? this.#newName() : ""));
    if (kind === "step") this.node.querySelector("[name=name]")?.select();
  }

  /** A name that no stage has; a cell that was left out and named gets its own again. */
  #newName() {
    const said = tags.read(this.own.filter((tag) => tag !== "skip"));
    if (said.name) return said.name;
    let number = this.stages.length + 1;
    while (this.stages.includes(`stage_${number}`)) number += 1;
    return `stage_${number}`;
  }

  #name(said) {
    const problem = element("small", { class: "podline-problem-text", role: "alert" });
    const others = this.stages.filter((name) => name !== said.name);
    const check = () => {
      const found = tags.nameProblem(field.value, others);
      problem.textContent = found;
      field.setAttribute("aria-invalid", String(Boolean(found)));
      return !found;
    };
    const field = element("input", {
      name: "name", value: said.name, spellcheck: "false", autocomplete: "off",
      oninput: check, onchange: () => check() && this.#rename(said.name, field.value),
    });
    return element("div", {}, labelled("Stage", field), problem);
  }

  /** Gives a stage another name, in each tag that says the old one. */
  #rename(old, name) {
    if (name === old) return;
    if (!old) {
      this.#write((own) => tags.withKind(own, "step", name));
      return;
    }
    const cells = this.watched.notebook.widgets.filter((cell) => cell.model.type === "code");
    this.watched.retag(cells, (own) => tags.renamed(own, old, name));
    this.watched.tell();
  }

  #waits(said) {
    const named = said.fields.prev;
    const others = this.stages.filter((name) => name !== said.name);
    const waits = this.watched.stage(said.name)?.waits_for ?? {};
    const boxes = others.map((name) => {
      const why = waits[name] && waits[name] !== "prev" ? ` (${waits[name]})` : "";
      return this.#box(`prev ${name}`, `${name}${why}`, named.includes(name), (on) => {
        const kept = named.filter((one) => one !== name && (one || !on));
        return (own) => tags.withValues(own, "prev", on ? [...kept, name] : kept);
      });
    });
    const none = this.#box("prev", "no other, but for what it reads", named.includes(""), (on) =>
      (own) => tags.withValues(own, "prev", on ? [""] : []));
    return element(
      "fieldset",
      { class: "podline-waits" },
      element("legend", {}, "Waits for"),
      element("p", { class: "podline-hint" }, "Nothing chosen: for the stage above."),
      boxes,
      none,
    );
  }

  #box(name, text, checked, change) {
    const box = element("input", {
      type: "checkbox", name, checked, onchange: () => this.#write(change(box.checked)),
    });
    return element("label", { class: "podline-check" }, box, text);
  }

  #texts(said, name, label, example, many, hint) {
    const field = element("input", {
      name, value: said.fields[name].join(" "), placeholder: example, spellcheck: "false",
      autocomplete: "off", onchange: () => {
        const text = field.value.trim();
        const values = many ? text.split(/\s+/).filter(Boolean) : [text].filter(Boolean);
        this.#write((own) => tags.withValues(own, name, values));
      },
    });
    return labelled(label, field, hint);
  }

  #mayRaise(said) {
    return this.#box(tags.MAY_RAISE, "may raise, and the stage goes on", said.mayRaise, (on) =>
      (own) => tags.withMayRaise(own, on));
  }
}
