// The names of a waterfall's rows that are in sight, each a link; the arrow keys go from one to the next.

import { PageLink, h, useEffect, useRef } from "./host.js";
import { HEIGHT } from "./bars.js";
import { StateMark, wordOf } from "./states.js";
import { TOOLTIP } from "./tooltip.js";

const ROW = {
  position: "absolute",
  height: HEIGHT,
  width: "100%",
  display: "flex",
  alignItems: "center",
  gap: 4,
  paddingInlineEnd: 8,
};
const CUT = { minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" };
const LINK = { display: "flex", minWidth: 0, fontSize: 14, whiteSpace: "pre" };

function Name({ row, place, to, onPoint, onLeave, told, keys }) {
  const again = row.number > 1 || row.again ? ` (try ${row.number})` : "";
  return h(
    "div",
    { style: { ...ROW, top: place * HEIGHT } },
    h(StateMark, { state: row.look, title: wordOf(row.look, row.again) }),
    h(
      PageLink,
      {
        to,
        style: { ...LINK, fontWeight: row.critical ? 600 : undefined },
        title: row.name + again,
        "aria-label": row.name + again,
        "data-row": place,
        "aria-describedby": told ? TOOLTIP : undefined,
        onKeyDown: keys,
        onFocus: (event) => onPoint(place, event.currentTarget),
        onBlur: onLeave,
      },
      h("span", { style: CUT }, row.name),
      again && h("span", null, again), // which of several tries it is, however long the name
    ),
  );
}

// `pick`: bring a row into sight and point at it.
export function Names({ rows, first, last, chosen, linkOf, onPoint, onLeave, pick }) {
  const node = useRef(null);
  // What has the focus stays, however far it is scrolled away.
  const places = new Set(Array.from({ length: last - first }, (_, n) => first + n));
  if (chosen !== null && chosen < rows.length) places.add(chosen);
  const wanted = useRef(null);
  useEffect(() => {
    const link = wanted.current !== null && node.current.querySelector(`[data-row="${wanted.current}"]`);
    if (!link) return; // it is not drawn yet
    wanted.current = null;
    link.focus({ preventScroll: true });
  });
  const keysOf = (place) => (event) => {
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || !rows[to]) return;
    event.preventDefault();
    wanted.current = to;
    pick(to);
  };
  return h(
    "div",
    { ref: node, style: { position: "relative", height: rows.length * HEIGHT } },
    [...places].map((place) =>
      h(Name, {
        key: rows[place].index,
        row: rows[place],
        place,
        to: linkOf(rows[place].index),
        onPoint,
        onLeave,
        told: chosen === place,
        keys: keysOf(place),
      }),
    ),
  );
}
