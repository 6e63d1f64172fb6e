// The rows of a run's waterfall: one a try, and which of them are shown in what order.

import { isInside, isOwn } from "./looks.js";
import { lookOf } from "./states.js";
import { instance } from "./words.js";

const FAILURES = ["failed", "up_for_retry", "upstream_failed", "refused", "unreachable", "returned"];
// What only another failure stopped has nothing to tell of its own.
export const isFailure = ({ look }) => look !== "upstream_failed" && FAILURES.includes(look);

// One try by its place in the answer's columns. What has not started has no length.
function rowOf(tries, index, now, again) {
  const start = tries.start[index];
  const phase = tries.phase_now[index];
  const since = phase === null ? null : (tries.phase_now_since[index] ?? start);
  const until = tries.end[index] ?? Math.max(now, start ?? 0, since ?? 0);
  return {
    index,
    task: tries.task_id[index],
    name: instance(tries.task_id[index], tries.map_index[index]),
    number: tries.try_number[index],
    start,
    until, // its end, or now
    again,
    running: start !== null && tries.end[index] === null,
    length: start === null ? null : until - start,
    look: lookOf(tries.state[index], again),
    ahead: tries.ahead[index],
    critical: tries.critical[index],
    live: since !== null && tries.end[index] === null ? { phase, since, length: until - since } : null,
  };
}

export function rowsOf(tries, now) {
  const last = new Map();
  const key = (index) => `${tries.task_id[index]} ${tries.map_index[index]}`;
  tries.task_id.forEach((_, index) => {
    const number = tries.try_number[index] ?? 0;
    if (number >= (last.get(key(index)) ?? 0)) last.set(key(index), number);
  });
  return tries.task_id.map((_, index) =>
    rowOf(tries, index, now, (tries.try_number[index] ?? 0) < last.get(key(index))),
  );
}

// How long a phase of a row has taken, where it has one.
export function phaseLength(tries, row, phase) {
  if (row.live?.phase === phase) return row.live.length;
  return tries.phases[phase]?.seconds[row.index] ?? null;
}

// How long its own code took; null: that is not known.
export function ownLength(tries, row) {
  if (row.start === null || isBare(tries, row)) return null;
  return [...new Set([...Object.keys(tries.phases), row.live?.phase])]
    .filter(isOwn)
    .reduce((sum, phase) => sum + (phaseLength(tries, row, phase) ?? 0), 0);
}

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0); // comparing by language takes a hundred times as long
const byName = (a, b) => byText(a.task, b.task);
const orLast = (value) => value ?? Infinity;

// By when a task's first try started, so that its tries are together.
function byStart(rows) {
  const first = new Map();
  for (const { task, start } of rows) {
    if (start !== null && !(first.get(task) <= start)) first.set(task, start);
  }
  const at = (row) => orLast(first.get(row.task));
  const apart = (a, b) => (a === b ? 0 : a - b); // Infinity is not less than itself
  return (a, b) => apart(at(a), at(b)) || byName(a, b) || apart(orLast(a.start), orLast(b.start));
}

export const ORDERS = {
  start: "by start",
  longest: "longest first",
  task: "by task",
  state: "failures first",
};

function order(name, rows, length) {
  const start = byStart(rows);
  const worst = (row) => (FAILURES.includes(row.look) ? FAILURES.indexOf(row.look) : FAILURES.length);
  return {
    start,
    longest: (a, b) => (length(b) ?? -1) - (length(a) ?? -1) || start(a, b),
    task: (a, b) => byName(a, b) || start(a, b),
    state: (a, b) => worst(a) - worst(b) || byText(a.look, b.look) || start(a, b),
  }[name];
}

// What is asked for: texts, as an address has them.
export const NO_FILTER = { state: "", named: "", phase: "", longer: "", sort: "start" };

export function arranged(rows, tries, { state, named, phase, longer, sort }) {
  const length = (row) => (phase ? phaseLength(tries, row, phase) : row.length);
  const least = Number.parseFloat(longer) || 0;
  const wanted = named.toLowerCase();
  const found = rows.filter(
    (row) =>
      (!state || row.look === state) &&
      row.name.toLowerCase().includes(wanted) &&
      (!phase || length(row) !== null) &&
      (!least || length(row) >= least),
  );
  return found.sort(order(sort in ORDERS ? sort : "start", rows, length));
}

// From the first to the last moment that rows and their phases have; null: none has begun.
export function spanOf(tries, rows) {
  let from = Infinity;
  let to = -Infinity;
  const columns = Object.values(tries.phases);
  for (const { index, start, until, live, ahead } of rows) {
    if (live) from = Math.min(from, live.since);
    if (ahead) from = Math.min(from, ahead.made);
    if (start !== null || live) to = Math.max(to, until);
    if (start === null) continue;
    from = Math.min(from, start);
    for (const column of columns) {
      if (column.start[index] === null) continue;
      const begins = start + column.start[index];
      from = Math.min(from, begins);
      to = Math.max(to, begins + column.seconds[index]);
    }
  }
  return from > to ? null : { from, to: Math.max(to, from + 0.001) };
}

export const isBare = (tries, row) =>
  !row.live &&
  !Object.entries(tries.phases).some(([name, column]) => isInside(name) && column.start[row.index] !== null);
