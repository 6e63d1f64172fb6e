// Tables: each scrolls within itself, and cuts what is long, with the whole of it for who points at it.

import { Box, Table, h } from "./host.js";

// The kinds of columns.
const SHORT = { whiteSpace: "nowrap" };
export const NAME = { maxWidth: { base: "14em", md: "26em" }, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" };
export const NUMBER = { whiteSpace: "nowrap", textAlign: "end", fontVariantNumeric: "tabular-nums" };
export const PROSE = { minWidth: "16em", maxWidth: "44em", overflowWrap: "anywhere" };

const titleOf = (kind, value, whole) =>
  kind === NAME ? (whole ?? (typeof value === "string" ? value : undefined)) : undefined;

// `columns`: [title, value of a row, kind, the text that a cut node stands for].
export function Rows({ label, columns, rows, keyOf }) {
  return h(
    Box,
    { overflow: "auto", maxHeight: "70vh", tabIndex: 0, role: "region", "aria-label": label },
    h(
      Table.Root,
      { size: "sm", width: "auto" },
      h(
        Table.Header,
        { position: "sticky", top: 0, zIndex: 1, bg: "bg" },
        h(
          Table.Row,
          null,
          columns.map(([title, , kind = SHORT]) =>
            h(Table.ColumnHeader, { key: title, scope: "col", ...kind }, title),
          ),
        ),
      ),
      h(
        Table.Body,
        null,
        rows.map((row, index) =>
          h(
            Table.Row,
            { key: keyOf ? keyOf(row) : index },
            columns.map(([title, valueOf, kind = SHORT, wholeOf]) => {
              const value = valueOf(row);
              return h(Table.Cell, { key: title, ...kind, title: titleOf(kind, value, wholeOf?.(row)) }, value);
            }),
          ),
        ),
      ),
    ),
  );
}
