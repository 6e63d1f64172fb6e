// How phases look: the user's own work is full and green; all else is flatter and of other colours,
// and of two colours that are near each other one has a texture.

import { Box, Button, Flex, h } from "./host.js";
import { PHASES, ROLLOUT_PHASES } from "./phases.js"; // podline's tables, as static_files.py writes them
import { seconds } from "./words.js";

// Each place has a hue, a stage another after its code. A shade has at least 3:1 on light and dark.
const HUES = {
  worker: ["orange-600"],
  cluster: ["purple-500"],
  stage: ["blue-500", "blue-600"],
  trigger: ["pink-600"],
};
const OTHER = ["gray-500"];
const AFTER_CODE = ["cyan-600"];
const TEXTURES = {
  plain: null,
  rising: "M-1 1L1 -1M0 6L6 0M5 7L7 5",
  falling: "M-1 5L1 7M0 0L6 6M5 -1L7 1",
  dots: "M1.5 1.5h1.4v1.4h-1.4zM4.5 4.5h1.4v1.4h-1.4z",
  upright: "M3 0V6",
};
const KINDS = new Map();
const used = {};
let stage = HUES.stage;
for (const known of PHASES) {
  const own = known.part === "code";
  const shades = own ? ["green-600"] : known.where === "stage" ? stage : (HUES[known.where] ?? OTHER);
  if (own) stage = AFTER_CODE;
  const place = (used[shades] = (used[shades] ?? -1) + 1);
  const texture = Object.keys(TEXTURES)[place % Object.keys(TEXTURES).length];
  KINDS.set(known.name, {
    ...known,
    colour: `var(--chakra-colors-${shades[place % shades.length]})`,
    texture,
  });
}

// The way of a version to a node of the edge. Some of its phases are called as a stage's.
const ROLLOUT = "rollout ";
const ROLLOUT_LOOKS = {
  publish: ["gray-500", "plain"],
  notice: ["orange-600", "plain"],
  fetch: ["blue-500", "plain"],
  verify: ["blue-600", "rising"],
  load: ["purple-500", "plain"],
  warm_up: ["pink-600", "plain"],
  swap: ["green-600", "plain"],
  first_prediction: ["cyan-600", "falling"],
};
for (const [name, meaning] of Object.entries(ROLLOUT_PHASES)) {
  const [shade, texture] = ROLLOUT_LOOKS[name] ?? OTHER.concat("plain");
  const colour = `var(--chakra-colors-${shade})`;
  const label = name.replaceAll("_", " ");
  KINDS.set(ROLLOUT + name, { part: "rollout", where: "edge", meaning, colour, texture, label });
}
export const ofRollout = (name) => ROLLOUT + name;

// A page that was opened before an upgrade may not know a phase yet.
const UNKNOWN = {
  part: "",
  where: "",
  meaning: "",
  colour: "var(--chakra-colors-gray-500)",
  texture: "plain",
};
const kind = (phase) => KINDS.get(phase) ?? UNKNOWN;

export const PHASE_ORDER = [...KINDS.keys()];
export const isInside = (phase) => kind(phase).part !== null; // of the try's duration
export const isOwn = (phase) => kind(phase).part === "code";
export const isRollout = (phase) => kind(phase).part === "rollout";
export const placeOf = (phase) => kind(phase).where;
export const labelOf = (phase) => kind(phase).label ?? phase;
export const meaningOf = (phase) => kind(phase).meaning;
export const colourOf = (phase) => kind(phase).colour;
// The fill of what lies over the colour; null: nothing does.
const textureOf = (phase) =>
  kind(phase).texture === "plain" ? null : `url(#podline-${kind(phase).texture})`;

// Stands once in a page, for all its drawings.
export function Textures() {
  return h(
    "svg",
    { width: 0, height: 0, "aria-hidden": true, style: { position: "absolute" } },
    h(
      "defs",
      null,
      Object.entries(TEXTURES).map(
        ([name, d]) =>
          d &&
          h(
            "pattern",
            { key: name, id: `podline-${name}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
            h("path", { d, stroke: "var(--chakra-colors-bg)", strokeWidth: 1.4, opacity: 0.75 }),
          ),
      ),
    ),
  );
}

// A shape in a phase's colour and texture.
export function Filled({ phase, shape = "rect", ...place }) {
  const texture = textureOf(phase);
  return [
    h(shape, { key: phase, ...place, fill: colourOf(phase) }),
    texture && h(shape, { key: `${phase} texture`, ...place, fill: texture, pointerEvents: "none" }),
  ];
}

// One bar of phases, as wide as there is room.
export function Bar({ parts, label, height = 22 }) {
  const whole = parts.reduce((sum, [, length]) => sum + length, 0);
  if (!whole) return null;
  let at = 0;
  const rects = parts.map(([phase, length]) => {
    const mine = isOwn(phase);
    const rect = h(
      "g",
      { key: phase },
      h("title", null, `${labelOf(phase)}: ${seconds(length)}`),
      h(Filled, {
        phase,
        x: `${(100 * at) / whole}%`,
        y: mine ? 0 : height * 0.2,
        width: `${(100 * length) / whole}%`,
        height: mine ? height : height * 0.6,
      }),
    );
    at += length;
    return rect;
  });
  return h("svg", { width: "100%", height, role: "img", "aria-label": label }, rects);
}

function Swatch({ phase }) {
  const height = isOwn(phase) ? 12 : 9;
  return h(
    "svg",
    { width: 14, height, "aria-hidden": true, style: { flexShrink: 0 } },
    h(Filled, { phase, width: 14, height }),
  );
}

// What the colours mean. With `isolate`, each phase is a button that shows it alone, or all again.
export function Legend({ phases, isolated = "", isolate }) {
  return h(
    Flex,
    {
      as: "ul",
      wrap: "wrap",
      columnGap: isolate ? 1 : 4,
      rowGap: 1,
      listStyleType: "none",
      marginY: 2,
      "aria-label": isolate ? "Phases: press one to see it alone" : "Colours",
    },
    phases.map((phase) => {
      const inside = [
        h(Swatch, { key: "swatch", phase }),
        h(Box, { key: "name", as: "span" }, labelOf(phase)),
      ];
      return h(
        Box,
        { as: "li", key: phase, title: meaningOf(phase) },
        isolate
          ? h(
              Button,
              {
                size: "xs",
                variant: isolated === phase ? "subtle" : "ghost",
                fontWeight: "normal",
                gap: 1.5,
                paddingX: 2,
                opacity: !isolated || isolated === phase ? 1 : 0.75,
                "aria-pressed": isolated === phase,
                onClick: () => isolate(isolated === phase ? "" : phase),
              },
              inside,
            )
          : h(Flex, { align: "center", gap: 1.5, fontSize: "sm" }, inside),
      );
    }),
  );
}
