// The time axis of a waterfall: since the run's beginning, or by the clock.

import { h } from "./host.js";
import { clock } from "./times.js";
import { seconds } from "./words.js";

const ROOM = 104; // pixels that a label takes, with the space around it
const LETTER = 7.5;
const MINUTE = 60;
const ROUND = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((n) => n * MINUTE);

function stepOf(rough) {
  if (rough > 30) return ROUND.find((size) => size >= rough) ?? Math.ceil(rough / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough * 0.999);
  return step > 20 ? 30 : step;
}

// Where the lines are, and what each says. `origin`: where the run begins.
export function ticksOf({ from, to }, width, origin, byClock) {
  const step = stepOf(((to - from) * ROOM) / Math.max(width, ROOM));
  const zero = byClock ? 0 : origin;
  const found = [];
  for (let n = Math.ceil((from - zero) / step); zero + n * step <= to; n += 1) {
    const at = zero + n * step;
    const since = n * step;
    found.push({
      x: ((at - from) / (to - from)) * width,
      label: byClock ? clock(at, step) : Math.abs(since) < step / 2 ? "0" : seconds(since),
    });
  }
  return found;
}

const LABEL = {
  position: "absolute",
  padding: "0 4px",
  fontSize: 12,
  lineHeight: "20px",
  color: "var(--chakra-colors-fg-muted)",
  whiteSpace: "nowrap",
};

// After its line; the last one before it, where there is no room, but none over another.
function placed(ticks, width) {
  let free = 0;
  return ticks.flatMap(({ x, label }) => {
    const room = label.length * LETTER;
    const left = x + room < width ? x : x - room;
    if (left < free) return [];
    free = left + room;
    return [{ x, label, left }];
  });
}

export function Axis({ ticks, width }) {
  return h(
    "div",
    { style: { position: "relative", height: 20 }, "aria-hidden": true },
    placed(ticks, width).map(({ x, label, left }) =>
      h("span", { key: x, style: { ...LABEL, left } }, label),
    ),
  );
}
