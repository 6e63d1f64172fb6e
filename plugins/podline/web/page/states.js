// How a state looks: Airflow's colour of it, a shape of its own, and Airflow's word.

import { h } from "./host.js";
import { stateWord } from "./preferences.js";

// Strokes on a square of twelve.
const CLOCK = "M6 1.5a4.5 4.5 0 1 0 .01 0zM6 3.6V6l1.8 1.4";
const RING = "M6 2a4 4 0 1 0 .01 0z";
const SHAPES = {
  deferred: "M4 2v8M8 2v8",
  failed: "M2.5 2.5l7 7M9.5 2.5l-7 7",
  queued: CLOCK,
  removed: "M2 6h8",
  running: "M3.5 2l6 4-6 4z",
  scheduled: CLOCK,
  skipped: "M2 2.5l3.5 3.5L2 9.5M6.5 2.5L10 6l-3.5 3.5",
  success: "M2 6.5l3 3 5-7",
  up_for_reschedule: CLOCK,
  up_for_retry: "M9.6 4A4 4 0 1 0 10 7M10 1.2v3H7",
  upstream_failed: "M6 1.5v6M3.2 4.8L6 7.6l2.8-2.8M2 10.5h8",
};
// States of nodes and of rollouts, each as one of Airflow's looks.
const LIKE = {
  abandoned: "removed",
  behind: "up_for_retry",
  late: "removed",
  "passed over": "skipped",
  pinned: "deferred",
  promoted: "success",
  ready: "success",
  refused: "failed",
  returned: "up_for_retry",
  "rolled back": "up_for_retry",
  serving: "success",
  told: "running",
  unavailable: "failed",
  unreachable: "upstream_failed",
  waiting: "queued",
};
const TOKENS = new Set([...Object.keys(SHAPES), "awaiting_input", "restarting"]);

const like = (state) => LIKE[state] ?? state;
const token = (state) => (TOKENS.has(like(state)) ? like(state) : "no_status");
export const shapeOf = (state) => SHAPES[like(state)] ?? RING;
export const solid = (state) => `var(--chakra-colors-${token(state)}-solid)`;
export const textColour = (state) => `var(--chakra-colors-${token(state)}-fg)`;

// Whether all went as it should.
export const isGood = (state) => like(state) === "success";

// A failed try that was made again looks like one that waits for that: it did the run no harm.
export const lookOf = (state, again) => (again && state === "failed" ? "up_for_retry" : state || "no_status");

export function wordOf(look, again = false) {
  return again && look === "up_for_retry" ? `${stateWord("failed")}, tried again` : stateWord(look);
}

export function StateMark({ state, size = 12, title }) {
  return h(
    "svg",
    {
      width: size,
      height: size,
      viewBox: "0 0 12 12",
      fill: "none",
      stroke: textColour(state),
      strokeWidth: 1.8,
      strokeLinecap: "round",
      strokeLinejoin: "round",
      style: { flexShrink: 0 },
      "aria-hidden": title ? undefined : true,
      role: title ? "img" : undefined,
      "aria-label": title,
    },
    h("path", { d: shapeOf(state) }),
  );
}

const BADGE = {
  display: "inline-flex",
  alignItems: "center",
  gap: 4,
  padding: "0 6px",
  borderRadius: 4,
  fontSize: 14,
  whiteSpace: "nowrap",
};

// `again`: whether a later try was made.
export function State({ state, again = false }) {
  const look = lookOf(state, again);
  const colours = { background: `var(--chakra-colors-${token(look)}-subtle)`, color: textColour(look) };
  return h(
    "span",
    { style: { ...BADGE, ...colours } },
    h(StateMark, { state: look }),
    h("span", null, wordOf(look, again)),
  );
}
