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

// `columns`: [title, value of a row, kind, the text that a cut node stands for].
export function Rows({ label, columns, rows, keyOf }) {
  return h(
    Box,
    { overflow: "auto", maxHeight: "70vh", tabIndex: 0, role: "region", "aria-label": label },
    h(
      "table",
      { style: { fontSize: 14, borderCollapse: "separate", borderSpacing: 0 } },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map(([title, , kind = SHORT]) =>
            h("th", { key: title, scope: "col", style: { ...HEAD, ...kind } }, title),
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
            columns.map(([title, valueOf, kind = SHORT, wholeOf]) => {
              const value = valueOf(row);
              const whole = titleOf(kind, value, wholeOf?.(row));
              return h("td", { key: title, style: { ...CELL, ...kind }, title: whole }, value);
            }),
          ),
        ),
      ),
    ),
  );
}
