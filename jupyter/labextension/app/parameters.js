// The notebook's parameters, and values for the next run.

import { element } from "./dom.js";

/** The value that a text stands for, of the default's type; throws where it stands for none. */
function valueOf(parameter, text) {
  if (parameter.type === "string") return text;
  if (parameter.type === "null" && text !== "null") return text;
  const value = JSON.parse(text.replace(/^(True|False)$/, (word) => word.toLowerCase()));
  const kind = Array.isArray(value) ? "array" : typeof value;
  const fits = { integer: Number.isInteger(value), number: kind === "number",
    boolean: kind === "boolean", array: kind === "array", object: kind === "object" };
  if (fits[parameter.type] === false) throw new Error(`${text} is no ${parameter.type}`);
  return value;
}

const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export class Parameters {
  constructor() {
    this.node = element("div", { class: "podline-parameters" });
    this.key = "";
    this.given = new WeakMap(); // of a notebook's panel: texts by name
  }

  update(watched) {
    const found = watched.outline?.parameters ?? [];
    const key = JSON.stringify([watched.path, found]);
    if (key === this.key) return;
    this.key = key;
    this.watched = watched;
    if (!this.given.has(watched)) this.given.set(watched, new Map());
    const given = this.given.get(watched);
    this.node.replaceChildren(
      ...(found.length
        ? found.map((parameter) => this.#field(parameter, given))
        : [element("p", {}, "No parameters: choose that kind for a cell such as rows = 1000.")]),
    );
  }

  #field(parameter, given) {
    const id = `podline-parameter-${parameter.name}`;
    const wrong = element("small", { class: "podline-problem-text", role: "alert" });
    const field = element("input", {
      id, name: parameter.name, placeholder: textOf(parameter.default), spellcheck: "false",
      autocomplete: "off", value: given.get(parameter.name) ?? "", "aria-describedby": `${id}-about`,
      oninput: () => {
        given.set(parameter.name, field.value);
        wrong.textContent = this.#problem(parameter, field.value);
        field.setAttribute("aria-invalid", String(Boolean(wrong.textContent)));
      },
    });
    const about = `${parameter.type}, default ${textOf(parameter.default)}`;
    const told = parameter.description ? `${about}. ${parameter.description}` : about;
    return element(
      "div",
      { class: "podline-row" },
      element("label", { for: id }, parameter.name),
      field,
      element("small", { id: `${id}-about`, class: "podline-hint" }, told),
      wrong,
    );
  }

  #problem(parameter, text) {
    try {
      if (text) valueOf(parameter, text);
      return "";
    } catch {
      return `${text} is no ${parameter.type}: write one, such as ${textOf(parameter.default)}.`;
    }
  }

  /** The values that were given for the next run of a notebook; throws where one is none. */
  values(watched) {
    const found = {};
    for (const parameter of watched.outline?.parameters ?? []) {
      const text = this.given.get(watched)?.get(parameter.name) ?? "";
      if (!text) continue;
      const problem = this.#problem(parameter, text);
      if (problem) throw new Error(`The parameter ${parameter.name}: ${problem}`);
      found[parameter.name] = valueOf(parameter, text);
    }
    return found;
  }
}
