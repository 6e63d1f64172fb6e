// Beside each code cell: its kind and stage, what the stage waits for, what is wrong, how long it took.

import { phaseBar } from "./bars.js";
import { colour, element, seconds } from "./dom.js";
import { took } from "./run.js";

const badges = new WeakMap(); // of a cell's widget: the element, and what it shows

/** What a badge shows of a cell; null: nothing is known of it yet. */
function shown(watched, cell) {
  const about = watched.cell(cell.model.id);
  if (!about) return null;
  const stage = about.stage && watched.stage(about.stage);
  const tags = watched.tags(cell);
  const run = watched.run;
  const ran = about.stage ? run?.stages[about.stage] : null;
  const first = stage && stage.cells[0] === about.number;
  return {
    kind: about.kind,
    stage: about.stage,
    joins: Boolean(about.stage) && !tags.some((tag) => String(tag).endsWith(`:${about.stage}`)),
    place: stage ? watched.place(about.stage) : -1,
    waits: first
      ? Object.entries(stage.waits_for).map(([name, why]) => [name, why, watched.place(name)])
      : [],
    problems: watched.problemsOf(cell.model.id).map((problem) => problem.severity),
    seconds: ran?.cells[about.number] ?? null,
    state: first && ran ? ran.state : "",
    took: first && ran?.seconds !== null && ran ? took(ran) : null,
    phases: first && ran ? ran.phases : {},
  };
}

const WORDS = { metrics: "metrics of", stage: "" };

function text(about) {
  if (!about.stage) return about.kind === "skip" ? "left out" : about.kind;
  return [WORDS[about.kind] ?? about.kind, about.stage].filter(Boolean).join(" ");
}

function sentence(about) {
  const parts = [about.stage ? `stage ${text(about)}` : text(about)];
  if (about.joins) parts.push("goes on with it");
  for (const [name, why] of about.waits) parts.push(`waits for ${name} (${why})`);
  if (about.problems.length) parts.push(`${about.problems.length} problems`);
  if (about.state) parts.push(about.state);
  if (about.seconds !== null) parts.push(`this cell took ${seconds(about.seconds)}`);
  return parts.join(", ");
}

function draw(about) {
  const mark = element("span", { class: "podline-mark", "aria-hidden": "true" });
  if (about.place >= 0) mark.style.background = colour(about.place);
  const dots = about.waits.map(([name, why, place]) => {
    const dot = element("span", { class: "podline-dot", title: `waits for ${name} (${why})` });
    dot.style.background = colour(place);
    return dot;
  });
  const wrong = about.problems.includes("error") ? "error" : "warning";
  return [
    dots.length ? element("span", { class: "podline-dots" }, dots) : null,
    mark,
    element("span", { class: "podline-name" }, about.joins ? `↳ ${text(about)}` : text(about)),
    about.problems.length
      ? element("span", { class: `podline-count podline-${wrong}` }, `${about.problems.length} ⚠`)
      : null,
    about.seconds !== null
      ? element("span", { class: "podline-seconds" }, seconds(about.seconds))
      : null,
    about.state === "running" ? element("span", { class: "podline-seconds" }, "runs …") : null,
    about.took !== null ? phaseBar(about.phases, about.took) : null,
  ];
}

function mark(watched, cell, choose) {
  const about = watched.settings.badges ? shown(watched, cell) : null;
  const known = badges.get(cell);
  const key = JSON.stringify(about);
  if (known?.key === key && (!about || known.node.parentNode === cell.node)) return;
  known?.node?.remove();
  cell.node.classList.toggle("podline-marked", Boolean(about));
  let node = null;
  if (about) {
    const open = () => choose(watched, cell);
    node = element(
      "button",
      { type: "button", class: "podline-badge", tabindex: "-1", onclick: open,
        "aria-label": sentence(about), title: sentence(about), "data-kind": about.kind,
        "data-joins": String(about.joins) },
      draw(about),
    );
    // Appended last: Lumino puts its own children by index.
    cell.node.append(node);
  }
  badges.set(cell, { key, node });
}

/** Brings all badges of a notebook up to date; `choose` is told of a badge that is clicked. */
export function markCells(watched, choose) {
  for (const cell of watched.notebook.widgets) {
    if (cell.model?.type === "code") mark(watched, cell, choose);
    else {
      badges.get(cell)?.node?.remove();
      badges.delete(cell);
      cell.node.classList.remove("podline-marked");
    }
  }
}
