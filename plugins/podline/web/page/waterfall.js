// The waterfall of a run: a row a try, its phases on one time axis. One path a phase, however many
// tries there are: a thousand rows of ten phases are painted in a tenth of a second.

import { Box, Flex, PageLink, Text, h, useMemo, useNavigate, useState } from "./host.js";
import { colourOf, isInside, isOwn } from "./looks.js";
import { instance, seconds } from "./words.js";

const WIDE = 1000; // units of the drawing across
const MANY = 60; // rows, from which on not each has a name

function rowsOf(tries, now) {
  const first = new Map();
  const rows = tries.task_id.map((task, index) => {
    const start = tries.start[index];
    if (start !== null && !(first.get(task) <= start)) first.set(task, start);
    return { index, task, start, end: tries.end[index] ?? (start === null ? null : now) };
  });
  const order = (row) => first.get(row.task) ?? Infinity;
  return rows
    .filter((row) => row.start !== null)
    .sort((a, b) => order(a) - order(b) || a.task.localeCompare(b.task) || a.start - b.start);
}

function span(tries, rows) {
  let from = Infinity;
  let to = -Infinity;
  const columns = Object.values(tries.phases);
  for (const { index, start, end } of rows) {
    from = Math.min(from, start);
    to = Math.max(to, end);
    for (const column of columns) {
      if (column.start[index] === null) continue;
      const begins = start + column.start[index];
      from = Math.min(from, begins);
      to = Math.max(to, begins + column.seconds[index]);
    }
  }
  return { from, to: Math.max(to, from + 0.001) };
}

function path(column, rows, own, { from, to }, height) {
  const scale = WIDE / (to - from);
  const inset = own ? height * 0.1 : height * 0.26;
  const tall = (height - 2 * inset).toFixed(2);
  const parts = [];
  rows.forEach(({ index, start }, row) => {
    const length = column.seconds[index];
    if (!length) return;
    const x = ((start + column.start[index] - from) * scale).toFixed(2);
    const width = Math.max(length * scale, 0.3).toFixed(2);
    parts.push(`M${x} ${(row * height + inset).toFixed(2)}h${width}v${tall}h-${width}z`);
  });
  return parts.join("");
}

function bare(tries, rows, { from, to }, height) {
  const scale = WIDE / (to - from);
  const columns = Object.entries(tries.phases).filter(([name]) => isInside(name));
  return rows
    .map(({ index, start, end }, row) => {
      if (columns.some(([, column]) => column.start[index] !== null)) return "";
      const x = ((start - from) * scale).toFixed(2);
      const width = Math.max((end - start) * scale, 0.3).toFixed(2);
      return `M${x} ${row * height + height * 0.35}h${width}v${height * 0.3}h-${width}z`;
    })
    .join("");
}

function ticks({ from, to }) {
  const rough = (to - from) / (window.innerWidth < 700 ? 3 : 6);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough);
  const found = [];
  for (let at = 0; at <= to - from; at += step) found.push(at);
  return found;
}

function Axis({ over }) {
  return h(
    Box,
    { position: "relative", height: "18px", "aria-hidden": true },
    ticks(over).map((at) => {
      const place = (100 * at) / (over.to - over.from);
      return h(
        Text,
        {
          key: at,
          position: "absolute",
          left: `${place}%`,
          transform: place > 85 ? "translateX(-100%)" : undefined, // there is no room to its right
          fontSize: "xs",
          color: "fg.muted",
          whiteSpace: "nowrap",
        },
        at === 0 ? "0" : seconds(at),
      );
    }),
  );
}

function Names({ rows, tries, height, linkOf }) {
  const many = rows.length > MANY;
  const counts = new Map();
  rows.forEach(({ task }) => counts.set(task, (counts.get(task) ?? 0) + 1));
  return rows.map((row, place) => {
    if (many && place && rows[place - 1].task === row.task) return null;
    const name = many
      ? `${row.task} × ${counts.get(row.task)}`
      : instance(row.task, tries.map_index[row.index]);
    const number = tries.try_number[row.index];
    const again = !many && number > 1 ? ` (try ${number})` : "";
    return h(
      Box,
      { key: row.index, position: "absolute", top: `${place * height}px`, width: "100%" },
      h(
        Text,
        { truncate: true, fontSize: "sm", lineHeight: many ? "18px" : `${height}px`, title: name },
        many ? name : h(PageLink, { to: linkOf(row.index) }, name + again),
      ),
    );
  });
}

function described(tries, index) {
  const name = instance(tries.task_id[index], tries.map_index[index]);
  const phases = Object.entries(tries.phases)
    .filter(([, column]) => column.seconds[index])
    .map(([phase, column]) => `${phase} ${seconds(column.seconds[index])}`);
  const partial = tries.partial[index] ? `; ${tries.partial[index]}` : "";
  return `${name}, try ${tries.try_number[index]}, ${tries.state[index] || "not started"}: ${
    phases.join(", ") || "no phases known"
  }${partial}`;
}

// One path a phase, and a grey one for the tries whose phases are not known.
function Drawing({ tries, rows, over, height, point, go }) {
  const paths = useMemo(
    () =>
      Object.entries(tries.phases).map(([name, column]) => [
        name,
        path(column, rows, isOwn(name), over, height),
      ]),
    [tries, rows, over, height],
  );
  const whole = rows.length * height;
  const rowAt = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return rows[Math.floor(((event.clientY - box.top) / box.height) * rows.length)];
  };
  return h(
    "svg",
    {
      viewBox: `0 0 ${WIDE} ${whole}`,
      preserveAspectRatio: "none",
      width: "100%",
      height: whole,
      style: { cursor: "pointer", display: "block" },
      role: "img",
      "aria-label": `${rows.length} tries over ${seconds(over.to - over.from)}; the table below has their numbers`,
      onMouseMove: (event) => point(rowAt(event)?.index ?? null),
      onMouseLeave: () => point(null),
      onClick: (event) => {
        const row = rowAt(event);
        if (row) go(row.index);
      },
    },
    ticks(over).map((at) =>
      h("path", {
        key: at,
        d: `M${((at / (over.to - over.from)) * WIDE).toFixed(2)} 0v${whole}`,
        stroke: "var(--chakra-colors-border)",
        vectorEffect: "non-scaling-stroke",
      }),
    ),
    h("path", { d: bare(tries, rows, over, height), fill: "var(--chakra-colors-gray-400)" }),
    paths.map(([name, d]) => d && h("path", { key: name, d, fill: colourOf(name) })),
  );
}

export function Waterfall({ tries, now, linkOf }) {
  const [pointed, point] = useState(null);
  const navigate = useNavigate();
  const rows = useMemo(() => rowsOf(tries, now), [tries, now]);
  const over = useMemo(() => span(tries, rows), [tries, rows]);
  if (!rows.length) return h(Text, { color: "fg.muted" }, "No task has started yet.");
  const height = rows.length <= MANY ? 26 : rows.length <= 300 ? 8 : 4;
  const go = (index) => navigate(linkOf(index));
  return h(
    Box,
    null,
    h(
      Flex,
      { gap: 3, maxHeight: "620px", overflowY: "auto", tabIndex: 0, role: "region",
        "aria-label": "Waterfall of the run" },
      h(
        Box,
        { width: { base: "96px", md: "190px" }, flexShrink: 0, paddingTop: "18px" },
        h(
          Box,
          { position: "relative", height: `${Math.max(rows.length * height, 18)}px` },
          h(Names, { rows, tries, height, linkOf }),
        ),
      ),
      h(
        Box,
        { flex: 1, minWidth: 0 },
        h(Axis, { over }),
        h(Drawing, { tries, rows, over, height, point, go }),
      ),
    ),
    h(
      Text,
      { fontSize: "sm", minHeight: "3em", marginTop: 2, color: "fg.muted" },
      pointed === null
        ? "Point at a row for its phases; press it, or its name, for all that is known of it."
        : described(tries, pointed),
    ),
  );
}
