// Tables: each scrolls within itself, and cuts what is long, with the whole of it for who points at it.

import { Box, h } from "./host.js";

// The kinds of columns.
const SHORT = { whiteSpace: "nowrap" };
export const NAME = {
  maxWidth: "min(26em, 50vw)",
  overflow: "hidden",
  textOverflow: "ellipsis",
  whiteSpace: "nowrap",
};
export const NUMBER = { whiteSpace: "nowrap", textAlign: "end", fontVariantNumeric: "tabular-nums" };
export const VALUE = { minWidth: "5em", maxWidth: "44em", overflowWrap: "anywhere" };
export const PROSE = { minWidth: "16em", maxWidth: "44em", overflowWrap: "anywhere" };

const CELL = {
  padding: "7px 8px",
  textAlign: "start",
  borderBottom: "1px solid var(--chakra-colors-border)",
};
const HEAD = {
  ...CELL,
  fontWeight: 500,
  position: "sticky",
  top: 0,
  zIndex: 1,
  background: "var(--chakra-colors-bg)",
};

const titleOf = (kind, value, whole) =>
  kind === NAME ? (whole ?? (typeof value === "string" ? value : undefined)) : undefined;

// A shadow at the right edge, while there is more: what hides it goes along with the table.
const MORE =
  "linear-gradient(to left, var(--chakra-colors-bg) 40%, transparent) right / 40px 100% no-repeat local, " +
  "linear-gradient(to left, rgb(120 130 150 / 45%), transparent) right / 14px 100% no-repeat scroll";

// `columns`: [title, value of a row, kind, the text that a cut node stands for].
export function Rows({ label, columns, rows, keyOf }) {
  return h(
    Box,
    {
      overflow: "auto",
      maxHeight: "70vh",
      tabIndex: 0,
      role: "region",
      "aria-label": label,
      style: { background: MORE },
    },
    h(
      "table",
      { style: { fontSize: 14, borderCollapse: "separate", borderSpacing: 0 } },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map(([title, , kind = SHORT], place) =>
            h("th", { key: place, scope: "col", style: { ...HEAD, ...kind } }, title),
          ),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row, index) =>
          h(
            "tr",
            { key: keyOf ? keyOf(row) : index },
            columns.map(([, valueOf, kind = SHORT, wholeOf], place) => {
              const value = valueOf(row);
              const whole = titleOf(kind, value, wholeOf?.(row));
              return h("td", { key: place, style: { ...CELL, ...kind }, title: whole }, value);
            }),
          ),
        ),
      ),
    ),
  );
}
