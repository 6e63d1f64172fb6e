// How phases look: the user's own work is full and green, all else is flatter and of other colours.

import { Box, Flex, Text, h } from "./host.js";
import { seconds } from "./words.js";

const SHADES = {
  scheduled: "gray.300",
  queued: "gray.400",
  adopted: "gray.300",
  prepare: "orange.300",
  submit: "orange.400",
  schedule: "purple.300",
  pull: "purple.400",
  start: "purple.500",
  boot: "blue.300",
  fetch: "blue.400",
  imports: "blue.500",
  load: "blue.600",
  code: "green.500",
  run: "green.500",
  dump: "cyan.500",
  store: "cyan.600",
  defer: "pink.300",
  notice: "orange.500",
  resume: "pink.400",
  finish: "orange.600",
  cleanup: "gray.500",
};

// Not within a try's duration.
export const OUTSIDE = ["scheduled", "queued", "adopted", "cleanup"];

export const MEANING = {
  scheduled: "ready to run, until the scheduler queues it",
  queued: "queued, until a worker starts it",
  adopted: "what its pod did before this try took it over",
  prepare: "the task’s process starts and reads its DAG",
  submit: "plan and inputs are made, and the pod or process",
  schedule: "the cluster finds a node",
  pull: "the image comes to the node",
  start: "the container is made and started",
  boot: "Python and podline start in the stage",
  fetch: "the inputs come from the store",
  imports: "the notebook’s imports and functions",
  load: "the inputs become objects",
  code: "the stage’s own cells",
  run: "the task’s own work, undivided",
  dump: "objects become files",
  store: "the outputs go to the store",
  defer: "until the trigger runs",
  notice: "until the operator knows that the result is stored",
  resume: "until a deferred task goes on",
  finish: "until Airflow has recorded the end",
  cleanup: "the pod is deleted, after the end",
};

export const colour = (phase) =>
  `var(--chakra-colors-${(SHADES[phase] ?? "gray.500").replace(".", "-")})`;

// One bar of phases, as wide as there is room.
export function Bar({ parts, own, label, height = 22 }) {
  const whole = parts.reduce((sum, [, length]) => sum + length, 0);
  if (!whole) return null;
  let at = 0;
  const rects = parts.map(([phase, length]) => {
    const mine = own.includes(phase);
    const rect = h(
      "rect",
      {
        key: phase,
        x: `${(100 * at) / whole}%`,
        y: mine ? 0 : height * 0.2,
        width: `${(100 * length) / whole}%`,
        height: mine ? height : height * 0.6,
        fill: colour(phase),
      },
      h("title", null, `${phase}: ${seconds(length)}`),
    );
    at += length;
    return rect;
  });
  return h("svg", { width: "100%", height, role: "img", "aria-label": label }, rects);
}

export function Legend({ phases, own }) {
  return h(
    Flex,
    { as: "ul", wrap: "wrap", columnGap: 4, rowGap: 1, listStyleType: "none", marginY: 2,
      "aria-label": "Colours" },
    phases.map((phase) =>
      h(
        Flex,
        { as: "li", key: phase, align: "center", gap: 1, title: MEANING[phase] },
        h(Box, {
          width: "12px",
          height: own.includes(phase) ? "12px" : "7px",
          background: colour(phase),
          "aria-hidden": true,
        }),
        h(Text, { fontSize: "sm" }, phase),
      ),
    ),
  );
}
