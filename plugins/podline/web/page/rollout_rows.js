// The nodes of a rollout as the rows of a waterfall: each one's way to the version.

import { ofRollout } from "./looks.js";
import { isFailure, phaseLength } from "./rows.js";

const LONG_AGO = 3; // times the rollout's own length, from which on a publish before it is not drawn

const endOf = (phases) => Math.max(0, ...phases.map(({ start, seconds }) => start + seconds));

// Whether the publish is drawn: what lay in the store for days would leave no room for all else.
function isPublishShown({ nodes }) {
  const publishes = nodes.flatMap(({ phases }) => phases.filter(({ name }) => name === "publish"));
  const whole = Math.max(1, ...nodes.map(({ phases }) => endOf(phases)));
  return publishes.length > 0 && publishes.every(({ seconds }) => seconds < LONG_AGO * whole);
}

// The rollout's nodes as columns, as a run's answer has its tries.
export function columnsOf(rollout) {
  const { nodes, started } = rollout;
  const shown = isPublishShown(rollout);
  const phases = {};
  nodes.forEach((node, index) => {
    for (const { name, start, seconds } of node.phases) {
      if (name === "publish" && !shown) continue;
      phases[ofRollout(name)] ??= { start: nodes.map(() => null), seconds: nodes.map(() => null) };
      phases[ofRollout(name)].start[index] = start;
      phases[ofRollout(name)].seconds[index] = seconds;
    }
  });
  return {
    phases,
    state: nodes.map(({ state }) => state),
    start: nodes.map((node) => (node.phases.length ? started : null)),
    failure: nodes.map(({ error }) => error),
    partial: nodes.map((node) => (node.tries > 1 ? `asked ${node.tries} times` : "")),
  };
}

export function rowsOf({ nodes, started }, now) {
  return nodes.map((node, index) => {
    const ended = node.phases.length > 0;
    const live = node.state === "told" && !ended;
    const length = ended ? endOf(node.phases) : null;
    return {
      index,
      node,
      task: node.name,
      name: node.name,
      number: null,
      ahead: null,
      start: ended ? started : null,
      until: ended ? started + length : Math.max(now, started),
      again: false,
      running: false,
      length,
      look: node.state,
      critical: false,
      live: live ? { phase: ofRollout("notice"), since: started, length: Math.max(0, now - started) } : null,
    };
  });
}

export const ORDERS = {
  start: "canaries first",
  longest: "slowest first",
  state: "failures first",
  task: "by name",
};

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

export function arranged(rows, columns, { state, named, phase, longer, sort }) {
  const length = (row) => (phase ? phaseLength(columns, row, phase) : row.length);
  const least = Number.parseFloat(longer) || 0;
  const wanted = named.toLowerCase();
  const sorts = {
    longest: (a, b) => (length(b) ?? -1) - (length(a) ?? -1),
    state: (a, b) => isFailure(b) - isFailure(a) || byText(a.look, b.look),
    task: (a, b) => byText(a.name, b.name),
  };
  return rows
    .filter(
      (row) =>
        (!state || row.look === state) &&
        row.name.toLowerCase().includes(wanted) &&
        (!phase || length(row) !== null) &&
        (!least || length(row) >= least),
    )
    .sort((a, b) => sorts[sort]?.(a, b) || a.index - b.index);
}
