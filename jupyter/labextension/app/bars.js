// Where the time of a stage went, as a bar with a colour for each part.

import { element, seconds } from "./dom.js";

// The parts of podline's own table of phases.
const PARTS = {
  code: ["code", "run"],
  libraries: ["imports"],
  transfer: ["fetch", "load", "dump", "store"],
  kubernetes: ["schedule", "pull", "start"],
};
const OUTSIDE = ["scheduled", "queued", "adopted", "cleanup"];

export function partOf(phase) {
  return Object.keys(PARTS).find((part) => PARTS[part].includes(phase)) ?? "pipeline";
}

/** The phases with a length, in a sentence. */
export function inWords(phases) {
  return Object.entries(phases)
    .filter(([, value]) => value >= 0.005)
    .map(([name, value]) => `${name} ${seconds(value)}`)
    .join(", ");
}

/** A bar of phases; `whole` is how long its full width is, in seconds. */
export function phaseBar(phases, whole) {
  const inside = Object.entries(phases).filter(([name]) => !OUTSIDE.includes(name));
  const label = inWords(phases) || "no phases were measured";
  const parts = inside.map(([name, value]) => {
    const part = element("span", { class: `podline-part podline-part-${partOf(name)}` });
    part.style.width = `${whole > 0 ? (Math.max(0, value) / whole) * 100 : 0}%`;
    return part;
  });
  return element("span", { class: "podline-bar", role: "img", "aria-label": label, title: label }, parts);
}
