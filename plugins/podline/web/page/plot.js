// A plot over runs: a column each, stacked or single, with what is usual behind them. Failed runs and
// those that go on are marked, as they are not of what is usual.

import { Box, Flex, h, useNavigate, useState, useWidth } from "./host.js";
import { Filled } from "./looks.js";
import { shapeOf, solid, textColour } from "./states.js";
import { moment } from "./times.js";
import { Tooltip } from "./tooltip.js";

const TALL = 240;
const LEFT = 76; // pixels for the numbers
const BELOW = 22;
const ABOVE = 18;
const DATE = 92; // pixels that a date takes
const WIDEST = 36;
const CUT = 1.25; // times the highest that succeeded, above which others are cut

// Round numbers from 0 to a little above the highest.
function scaleOf(highest) {
  const rough = Math.max(highest, 1e-6) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((size) => size >= rough);
  return { step, top: step * Math.ceil(highest / step || 1) };
}

function Rules({ scale, y, width, form }) {
  const lines = [];
  for (let at = 0; at <= scale.top * 1.001; at += scale.step) lines.push(at);
  return lines.map((at) =>
    h(
      "g",
      { key: at },
      h("path", { d: `M${LEFT} ${y(at)}H${width}`, stroke: "var(--chakra-colors-border)" }),
      h(
        "text",
        {
          x: LEFT - 6,
          y: y(at) + 4,
          style: { fontSize: 11 },
          textAnchor: "end",
          fill: "var(--chakra-colors-fg-muted)",
        },
        at ? form(at) : "0",
      ),
    ),
  );
}

function Usual({ usual, y, width }) {
  const tall = Math.max(y(usual.p10) - y(usual.p90), 1);
  return h(
    "g",
    { "aria-hidden": true },
    h("rect", {
      x: LEFT,
      y: y(usual.p90),
      width: width - LEFT,
      height: tall,
      fill: "var(--chakra-colors-fg-muted)",
      opacity: 0.14,
    }),
    h("path", {
      d: `M${LEFT} ${y(usual.p50)}H${width}`,
      stroke: "var(--chakra-colors-fg-muted)",
      strokeDasharray: "5 4",
    }),
  );
}

function Column({ column, x, wide, y, link, point, hide }) {
  let base = 0;
  const parts = column.parts.map(([phase, value]) => {
    const top = Math.max(y(base + value), ABOVE);
    const place = { x, y: top, width: wide, height: Math.max(Math.max(y(base), ABOVE) - top, 0.5) };
    base += value;
    return phase
      ? h(Filled, { key: phase, phase, ...place })
      : h("rect", {
          key: "",
          ...place,
          fill: column.ok ? "var(--chakra-colors-blue-600)" : solid(column.state),
          fillOpacity: column.ok ? 1 : 0.45,
        });
  });
  const open = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    link();
  };
  return h(
    "g",
    {
      role: "link",
      tabIndex: 0,
      "aria-label": `${column.title}: ${column.told}`,
      style: { cursor: "pointer" },
      onClick: open,
      onKeyDown: open,
      onFocus: (event) => point(corner(event.currentTarget)),
      onBlur: hide,
      onPointerMove: (event) => point({ x: event.clientX, y: event.clientY }),
      onPointerLeave: hide,
    },
    h("rect", { x: x - 1, y: 0, width: wide + 2, height: TALL - BELOW, fill: "transparent" }),
    parts,
    !column.ok &&
      h("path", {
        d: shapeOf(column.state),
        fill: "none",
        stroke: textColour(column.state),
        strokeWidth: 1.8,
        strokeLinecap: "round",
        strokeLinejoin: "round",
        transform: `translate(${x + wide / 2 - 6} ${Math.max(y(base), ABOVE) - 15})`,
      }),
    y(base) < ABOVE && h("path", { d: torn(x, wide), fill: "var(--chakra-colors-bg)" }),
  );
}

// A gap across a column that is higher than it is drawn.
function torn(x, wide) {
  const half = wide / 2;
  return `M${x - 1} ${ABOVE + 14}l${half + 1} -6l${half + 1} 6v5l${-half - 1} -6l${-half - 1} 6z`;
}

function corner(node) {
  const box = node.getBoundingClientRect();
  return { x: box.right, y: box.top + box.height / 2 };
}

// What did not succeed is no measure for the others: what is far above them is cut.
function highest(columns, height, usual) {
  const good = columns.filter((column) => column.ok).map(height);
  const all = Math.max(...columns.map(height), usual?.p90 ?? 0);
  return good.length ? Math.min(all, CUT * Math.max(...good, usual?.p90 ?? 0)) : all;
}

// `columns`: { key, at, state, ok, title, told, parts: [[phase or null, value]], to }, the oldest first.
export function Plot({ label, columns, usual, form }) {
  const [node, width] = useWidth();
  const [told, tell] = useState(null);
  const navigate = useNavigate();
  const height = (column) => column.parts.reduce((sum, [, value]) => sum + value, 0);
  const scale = scaleOf(highest(columns, height, usual));
  const y = (value) => TALL - BELOW - (value / scale.top) * (TALL - BELOW - ABOVE);
  const each = (width - LEFT) / columns.length;
  const wide = Math.max(Math.min(each - 2, WIDEST), 1);
  const dated = Math.max(1, Math.ceil(DATE / each));
  const hide = () => tell(null);
  return h(
    Box,
    { ref: node, minWidth: 0 },
    width > LEFT &&
      h(
        "svg",
        {
          width,
          height: TALL,
          style: { display: "block", overflow: "visible" },
          role: "group",
          "aria-label": label,
        },
        h(Rules, { scale, y, width, form }),
        usual && h(Usual, { usual, y, width }),
        columns.map((column, place) => {
          const x = LEFT + place * each + (each - wide) / 2;
          return h(Column, {
            key: column.key,
            column,
            x,
            wide,
            y,
            hide,
            link: () => navigate(column.to),
            point: (at) => tell({ column, at }),
          });
        }),
        columns.map((column, place) =>
          (columns.length - 1 - place) % dated === 0 && ((place + 1) * each >= DATE || columns.length === 1)
            ? h(
                "text",
                {
                  key: column.key,
                  x: LEFT + (place + (each < DATE ? 1 : 0.5)) * each,
                  y: TALL - 6,
                  style: { fontSize: 11 },
                  textAnchor: each < DATE ? "end" : "middle",
                  fill: "var(--chakra-colors-fg-muted)",
                },
                moment(column.at).slice(5, 16),
              )
            : null,
        ),
      ),
    told &&
      h(
        Tooltip,
        { at: told.at, close: hide },
        h(
          Flex,
          { direction: "column", gap: 0.5 },
          h(Box, { fontWeight: "bold" }, told.column.title),
          told.column.told,
        ),
      ),
  );
}
