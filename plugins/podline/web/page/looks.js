// How phases look: the user's own work is full and green, all else is flatter and of other colours.

import { Box, Flex, Text, h } from "./host.js";
import { PHASES } from "./phases.js"; // podline.phases, as static_files.py writes it
import { seconds } from "./words.js";

// Each place has a hue, which grows darker from phase to phase; a stage has another after its code.
const HUES = { worker: "orange", cluster: "purple", stage: "blue", trigger: "pink" };
const KINDS = new Map();
const used = { cyan: 400 };
for (const known of PHASES) {
  const hue = HUES[known.where] ?? "gray";
  const own = known.part === "code";
  if (own) HUES.stage = "cyan";
  else used[hue] = (used[hue] ?? 200) + 100;
  const shade = own ? "green-500" : `${hue}-${used[hue]}`;
  KINDS.set(known.name, { ...known, colour: `var(--chakra-colors-${shade})` });
}

// A page that was opened before an upgrade may not know a phase yet.
const UNKNOWN = { part: "", where: "", meaning: "", colour: "var(--chakra-colors-gray-400)" };
const kind = (phase) => KINDS.get(phase) ?? UNKNOWN;

export const isInside = (phase) => kind(phase).part !== null; // of the try's duration
export const isOwn = (phase) => kind(phase).part === "code";
export const placeOf = (phase) => kind(phase).where;
export const meaningOf = (phase) => kind(phase).meaning;
export const colourOf = (phase) => kind(phase).colour;

// One bar of phases, as wide as there is room.
export function Bar({ parts, label, height = 22 }) {
  const whole = parts.reduce((sum, [, length]) => sum + length, 0);
  if (!whole) return null;
  let at = 0;
  const rects = parts.map(([phase, length]) => {
    const mine = isOwn(phase);
    const rect = h(
      "rect",
      {
        key: phase,
        x: `${(100 * at) / whole}%`,
        y: mine ? 0 : height * 0.2,
        width: `${(100 * length) / whole}%`,
        height: mine ? height : height * 0.6,
        fill: colourOf(phase),
      },
      h("title", null, `${phase}: ${seconds(length)}`),
    );
    at += length;
    return rect;
  });
  return h("svg", { width: "100%", height, role: "img", "aria-label": label }, rects);
}

export function Legend({ phases }) {
  return h(
    Flex,
    { as: "ul", wrap: "wrap", columnGap: 4, rowGap: 1, listStyleType: "none", marginY: 2,
      "aria-label": "Colours" },
    phases.map((phase) =>
      h(
        Flex,
        { as: "li", key: phase, align: "center", gap: 1, title: meaningOf(phase) },
        h(Box, {
          width: "12px",
          height: isOwn(phase) ? "12px" : "7px",
          background: colourOf(phase),
          "aria-hidden": true,
        }),
        h(Text, { fontSize: "sm" }, phase),
      ),
    ),
  );
}
