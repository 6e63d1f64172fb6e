// All of a run at a glance, each row a hair: what is drawn here as a range is looked at below.

import { Box, h, useMemo } from "./host.js";
import { colourOf, isOwn, isRollout } from "./looks.js";
import { isGood, solid } from "./states.js";
import { useDrawnRange } from "./zoom.js";

const TALL = 44; // pixels

// Lines of what is the same colour: one path.
function paths(tries, rows, { from, to }, width) {
  const scale = width / (to - from);
  const tall = Math.min(4, Math.max(TALL / rows.length, 0.5));
  const found = new Map();
  const line = (colour, row, begin, length) => {
    const y = ((row + 0.5) * TALL) / rows.length;
    const d = `M${((begin - from) * scale).toFixed(1)} ${y.toFixed(1)}h${Math.max(length * scale, 1).toFixed(1)}`;
    found.set(colour, (found.get(colour) ?? "") + d);
  };
  const own = Object.keys(tries.phases).filter((name) => isOwn(name) || isRollout(name));
  rows.forEach((row, place) => {
    if (row.start === null) return;
    const looks = isGood(row.look) ? "var(--chakra-colors-gray-500)" : solid(row.look);
    line(looks, place, row.start, row.length);
    if (!isGood(row.look)) return;
    for (const name of own) {
      const column = tries.phases[name];
      const length = column.seconds[row.index];
      if (length) line(colourOf(name), place, row.start + column.start[row.index], length);
    }
  });
  return { tall, found: [...found] };
}

export function OverviewStrip({ tries, rows, whole, zoom, width }) {
  const { tall, found } = useMemo(() => paths(tries, rows, whole, width), [tries, rows, whole, width]);
  const at = (x) => whole.from + (Math.min(Math.max(x, 0), width) / width) * (whole.to - whole.from);
  const x = (moment) => ((moment - whole.from) / (whole.to - whole.from)) * width;
  const { drawn, handlers } = useDrawnRange((a, b) => zoom.to(at(a), at(b)), true);
  const range = drawn ?? (zoom.zoomed ? [x(zoom.view.from), x(zoom.view.to)] : null);
  return h(
    Box,
    {
      borderWidth: "1px",
      cursor: "ew-resize",
      touchAction: "pan-y",
      userSelect: "none",
      title: "Draw a range to look at it; double-click for all",
      onDoubleClick: zoom.reset,
      ...handlers,
    },
    h(
      "svg",
      { width, height: TALL, style: { display: "block" }, "aria-hidden": true },
      found.map(([colour, d]) =>
        h("path", { key: colour, d, stroke: colour, strokeWidth: tall, fill: "none" }),
      ),
      range &&
        h("rect", {
          x: Math.min(...range),
          width: Math.max(Math.abs(range[1] - range[0]), 2),
          y: 0,
          height: TALL,
          fill: "var(--chakra-colors-blue-500)",
          fillOpacity: 0.2,
          stroke: "var(--chakra-colors-blue-500)",
        }),
    ),
  );
}
