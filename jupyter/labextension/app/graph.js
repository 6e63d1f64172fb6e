// The graph of the stages: a row for each depth, edges from a stage to those that wait for it.

import { colour, drawn, element } from "./dom.js";

const WIDTH = 104;
const HEIGHT = 26;
const GAP = [14, 30]; // between neighbours, and between rows
const SLIM = 10; // the width of an edge that passes a row

/** The depth of each stage: one more than that of the deepest that it waits for. */
function depths(stages) {
  const found = new Map();
  const depth = (stage, above) => {
    if (found.has(stage.name) || above.has(stage.name)) return found.get(stage.name) ?? 0;
    above.add(stage.name);
    const parents = Object.keys(stage.waits_for).map((name) => stages.find((s) => s.name === name));
    const own = Math.max(-1, ...parents.filter(Boolean).map((parent) => depth(parent, above))) + 1;
    found.set(stage.name, own);
    return own;
  };
  for (const stage of stages) depth(stage, new Set());
  return found;
}

/** Rows of stages, and of edges that pass them; `links` are pairs of neighbours in rows. */
function layers(stages) {
  const at = depths(stages);
  const rows = [];
  const items = new Map();
  const put = (row, item) => {
    (rows[row] ??= []).push(item);
    return item;
  };
  for (const stage of stages) {
    items.set(stage.name, put(at.get(stage.name), { stage, width: WIDTH, row: at.get(stage.name) }));
  }
  const links = [];
  for (const stage of stages) {
    for (const name of Object.keys(stage.waits_for)) {
      let from = items.get(name);
      if (!from || from.row >= items.get(stage.name).row) continue;
      for (let row = from.row + 1; row < at.get(stage.name); row += 1) {
        const pass = put(row, { width: SLIM, row });
        links.push([from, pass]);
        from = pass;
      }
      links.push([from, items.get(stage.name)]);
    }
  }
  return { rows: Array.from(rows, (row) => row ?? []), links };
}

/** Gives each item its place; a row is in the order of what it comes from. */
function arranged({ rows, links }) {
  const widths = rows.map((row) => row.reduce((sum, item) => sum + item.width + GAP[0], -GAP[0]));
  const whole = Math.max(...widths);
  rows.forEach((row, number) => {
    for (const item of row) {
      const above = links.filter((link) => link[1] === item).map((link) => link[0].x);
      item.want = above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : 0;
    }
    row.sort((one, other) => one.want - other.want);
    let x = (whole - widths[number]) / 2;
    for (const item of row) {
      item.x = x + item.width / 2;
      item.y = number * (HEIGHT + GAP[1]) + HEIGHT / 2;
      x += item.width + GAP[0];
    }
  });
  return { whole, high: rows.length * (HEIGHT + GAP[1]) - GAP[1] };
}

function edge([from, to]) {
  const [x1, y1] = [from.x, from.y + (from.stage ? HEIGHT / 2 : 0)];
  const [x2, y2] = [to.x, to.y - (to.stage ? HEIGHT / 2 : 0)];
  const middle = (y1 + y2) / 2;
  return drawn("path", { d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`,
    class: "podline-edge" });
}

export class Graph {
  constructor() {
    this.node = element("div", { class: "podline-graph" });
    this.key = "";
  }

  update(watched) {
    const stages = watched.outline?.stages ?? [];
    const states = Object.fromEntries(
      stages.map((stage) => [stage.name, watched.run?.stages[stage.name]?.state ?? ""]),
    );
    const key = JSON.stringify([stages, states]);
    if (key === this.key) return;
    this.key = key;
    if (!stages.length) {
      this.node.replaceChildren(element("p", {}, "No stages yet: tag a cell, in the form above."));
      return;
    }
    const found = layers(stages);
    const { whole, high } = arranged(found);
    const nodes = found.rows.flat().filter((item) => item.stage);
    this.node.replaceChildren(
      drawn(
        "svg",
        { viewBox: `-2 -2 ${whole + 4} ${high + 4}`, width: whole + 4, height: high + 4,
          role: "group", "aria-label": "Graph of the stages" },
        found.links.map(edge),
        nodes.map((item) => this.#stage(watched, item, states[item.stage.name])),
      ),
    );
  }

  #stage(watched, { stage, x, y }, state) {
    const go = () => watched.jump(stage.cells[0]);
    const keyed = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      go();
    };
    const waits = Object.keys(stage.waits_for).join(", ");
    const label = `${stage.name}${waits ? `, waits for ${waits}` : ""}${state ? `, ${state}` : ""}`;
    const short = stage.name.length > 13 ? `${stage.name.slice(0, 12)}…` : stage.name;
    const left = x - WIDTH / 2;
    return drawn(
      "g",
      { class: "podline-node", role: "button", tabindex: "0", "aria-label": label, onclick: go,
        onkeydown: keyed, "data-state": state },
      drawn("title", {}, label),
      drawn("rect", { x: left, y: y - HEIGHT / 2, width: WIDTH, height: HEIGHT, rx: 4 }),
      drawn("rect", { x: left, y: y - HEIGHT / 2, width: 5, height: HEIGHT,
        fill: colour(watched.place(stage.name)), class: "podline-stripe" }),
      drawn("text", { x: x + 2, y: y + 4, "text-anchor": "middle" }, short),
    );
  }
}
