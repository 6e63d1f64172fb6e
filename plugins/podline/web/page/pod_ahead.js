// What a try had made ahead, its pod or process: a bar that leads to the stage's own, thin while it gets
// ready, thicker while it waits.

import { Box, Flex, h } from "./host.js";
import { seconds } from "./words.js";

const COLOUR = "var(--chakra-colors-gray-500)";
const THIN = 2; // pixels
const THICK = 6;

// `middle`: of the bar; `span`: its ends in pixels, null: it is out of sight.
function bar(middle, height, span) {
  if (!span) return "";
  const [left, right] = span.map((x) => x.toFixed(1));
  return `M${left} ${middle - height / 2}H${right}v${height}H${left}z`;
}

// A path for the pods of all rows that are shown. `place`: a time's ends in pixels.
export function aheadPath(shown, place, middle) {
  return shown
    .filter(({ row }) => row.ahead)
    .map(({ row: { ahead }, top }) => {
      const waits = Math.min(ahead.ready ?? ahead.claimed, ahead.claimed); // it may never have
      return (
        bar(top + middle, THIN, place(ahead.made, waits)) +
        (waits < ahead.claimed ? bar(top + middle, THICK, place(waits, ahead.claimed)) : "")
      );
    })
    .join("");
}

export const AheadPods = ({ d }) => d && h("path", { d, fill: COLOUR, "data-part": "ahead" });

export function AheadLegend({ rows }) {
  if (!rows.some((row) => row.ahead)) return null;
  return h(
    Flex,
    { gap: 1.5, align: "center", fontSize: "xs", paddingX: 2, marginBottom: 2 },
    h(
      "svg",
      { width: 24, height: 10, "aria-hidden": true, style: { flexShrink: 0 } },
      h("path", { d: bar(5, THIN, [0, 12]) + bar(5, THICK, [12, 24]), fill: COLOUR }),
    ),
    h(Box, null, "made ahead: it gets ready, then waits until its stage is due"),
  );
}

// The same in words; `start`: the try's.
export function wordsOf({ made, ready, claimed, idle, void: why }, start) {
  const from = (at) => `${seconds(Math.abs(at - start))} ${at < start ? "before" : "after"}`;
  const steps = [`made ahead ${from(made)} the start`];
  if (ready !== null) steps.push(`ready ${from(ready)}`);
  steps.push(`claimed ${from(claimed)}`);
  const anew = why ? `; libraries imported anew: ${why}` : "";
  return `${steps.join(", ")}; idle for ${seconds(idle)}${anew}`;
}
