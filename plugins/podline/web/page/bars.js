// The bars of a waterfall's rows: one path a phase for those that are in sight, however many there
// are; below each a line in its state's colour; and how long it took beside it.

import { h, memo } from "./host.js";
import { Filled, isOwn, labelOf } from "./looks.js";
import { AheadPods, aheadPath } from "./pod_ahead.js";
import { isBare, phaseLength } from "./rows.js";
import { isGood, shapeOf, solid, textColour, wordOf } from "./states.js";
import { seconds } from "./words.js";

export const HEIGHT = 24; // of a row, in pixels
const THIN = 1; // what is shorter is drawn as long as that
const LINE = 3; // the state's
const MIDDLE = (HEIGHT - LINE + 1) / 2; // of the phases
const LETTER = 6.4; // the width of one, at most
const FAR = 20; // pixels beyond the edges, where drawing stops

const box = (x, y, width, height) =>
  `M${x.toFixed(1)} ${y}h${width.toFixed(1)}v${height}h-${width.toFixed(1)}z`;

// From and to in pixels, cut where nobody sees it; null: it is out of sight.
function across({ from, to }, width, begin, end) {
  const scale = width / (to - from);
  const left = Math.max((begin - from) * scale, -FAR);
  const right = Math.min(Math.max((end - from) * scale, left + THIN), width + FAR);
  return left > width || right < 0 ? null : [left, right];
}

function phasePath(name, tries, shown, place) {
  const inset = isOwn(name) ? 3 : 6;
  const column = tries.phases[name];
  const parts = [];
  for (const { row, top } of shown) {
    const live = row.live?.phase === name ? row.live : null;
    const length = phaseLength(tries, row, name);
    if (!length || (row.start === null && !live)) continue;
    const begin = live ? live.since : row.start + column.start[row.index];
    const found = place(begin, begin + length);
    if (found) parts.push(box(found[0], top + inset, found[1] - found[0], HEIGHT - LINE - 2 * inset + 1));
  }
  return parts.join("");
}

// What is known of a try's time at all, by look: a line below it, or a frame where no phase is known.
function statePaths(tries, shown, place) {
  const lines = new Map();
  for (const { row, top } of shown) {
    const found = row.start === null ? null : place(row.start, row.until);
    if (!found) continue;
    const [left, right] = found;
    const line = box(left, top + HEIGHT - LINE - 1, right - left, LINE);
    const frame = isBare(tries, row) ? box(left, top + 7, right - left, HEIGHT - LINE - 13) : "";
    lines.set(row.look, (lines.get(row.look) ?? "") + line + frame);
  }
  return [...lines];
}

// The tries that the run's end waited for, and the steps from one to the next.
function criticalPath(all, place) {
  const path = all
    .map((row, place_) => ({ row, y: place_ * HEIGHT + 2 }))
    .filter(({ row }) => row.critical && row.start !== null)
    .sort((a, b) => a.row.start - b.row.start);
  const x = (at) => (place(at, at) ?? [at < path[0].row.start ? -FAR : null])[0];
  let along = "";
  let steps = "";
  let before = null;
  for (const { row, y } of path) {
    const found = place(row.start, row.until);
    if (found) {
      const step = before === null ? null : x(row.start);
      if (step !== null) steps += `M${step.toFixed(1)} ${before}V${y}`;
      along += `M${found[0].toFixed(1)} ${y}H${found[1].toFixed(1)}`;
    }
    before = y;
  }
  return { along, steps };
}

function Critical({ rows, place }) {
  const { along, steps } = criticalPath(rows, place);
  const stroke = "var(--chakra-colors-fg)";
  return [
    h("path", { key: "steps", d: steps, stroke, strokeDasharray: "3 2", opacity: 0.7 }),
    h("path", { key: "along", d: along, stroke, strokeWidth: 2, "data-part": "critical" }),
  ];
}

// `texts`: what is said, and what is where there is no room for that.
function Label({ row, top, begin, place, width, texts }) {
  const found = begin === null ? [0, 0] : place(begin, row.until);
  if (!found) return null;
  const [left, right] = found;
  const marked = !isGood(row.look);
  const roomOf = (text) => text.length * LETTER + (marked ? 16 : 0) + 6;
  const text = texts.find((one) => roomOf(one) < width) ?? texts.at(-1);
  const room = roomOf(text);
  // Beside the bar; before it where there is no room; else on its begin, where it waits.
  const onBar = right + room >= width && left - room <= 0;
  const x = right + room < width ? right + 4 : onBar ? Math.max(left, 0) + 4 : left - room + 2;
  return h(
    "g",
    { transform: `translate(${x.toFixed(1)} ${top})` },
    onBar &&
      h("rect", {
        x: -2,
        y: 3,
        width: room + 2,
        height: HEIGHT - 8,
        rx: 3,
        fill: "var(--chakra-colors-bg)",
        opacity: 0.9,
      }),
    marked &&
      h("path", {
        d: shapeOf(row.look),
        transform: "translate(0 5)",
        fill: "none",
        stroke: textColour(row.look),
        strokeWidth: 1.8,
        strokeLinecap: "round",
        strokeLinejoin: "round",
      }),
    h("text", { x: marked ? 16 : 0, y: 15, style: { fontSize: 11 }, fill: "var(--chakra-colors-fg)" }, text),
  );
}

function lengthTexts(tries, row, phase) {
  const doing = row.live && !phase ? `${labelOf(row.live.phase)} ${seconds(row.live.length)}` : "";
  if (row.start === null) return [doing || wordOf(row.look)];
  const length = seconds(phase ? phaseLength(tries, row, phase) : row.length);
  return doing ? [`${length} · ${doing}`, doing] : [length];
}

// Where the first thing of a row is drawn; null: nothing is.
function beginOf(tries, row) {
  if (row.start === null) return row.live?.since ?? null;
  const before = Object.values(tries.phases).map((column) => column.start[row.index] ?? 0);
  return Math.min(row.start + Math.min(0, ...before), row.ahead?.made ?? Infinity);
}

// `rows`: all that are listed; `first` and `last`: which are in sight.
export const Bars = memo(function Bars({ tries, rows, first, last, view, width, ticks, phase, critical, what }) {
  const place = (begin, end) => across(view, width, begin, end);
  const shown = rows.slice(first, last).map((row, n) => ({ row, top: (first + n) * HEIGHT }));
  const whole = rows.length * HEIGHT;
  const names = new Set([
    ...Object.keys(tries.phases),
    ...shown.map(({ row }) => row.live?.phase).filter(Boolean),
  ]);
  return h(
    "svg",
    {
      width,
      height: whole,
      style: { display: "block", overflow: "hidden" },
      role: "img",
      "aria-label": `${rows.length} ${what} over ${seconds(view.to - view.from)}; the table below has their numbers`,
    },
    h("path", {
      d: ticks.map(({ x }) => `M${x.toFixed(1)} 0V${whole}`).join(""),
      stroke: "var(--chakra-colors-border)",
    }),
    h(AheadPods, { d: aheadPath(shown, place, MIDDLE) }),
    statePaths(tries, shown, place).map(([look, d]) => h("path", { key: look, d, fill: solid(look) })),
    [...names].map((name) => {
      const d = phasePath(name, tries, shown, place);
      return (
        d &&
        h(
          "g",
          { key: name, opacity: !phase || phase === name ? 1 : 0.15 },
          h(Filled, { shape: "path", phase: name, d }),
        )
      );
    }),
    critical && h(Critical, { rows, place }),
    shown.map(({ row, top }) =>
      h(Label, {
        key: row.index,
        row,
        top,
        begin: beginOf(tries, row),
        place,
        width,
        texts: lengthTexts(tries, row, phase),
      }),
    ),
  );
});
