// The small parts that the pages share.

import { Alert, Box, Button, Flex, Fragment, Heading, PageLink, Spinner, Table, Text, h } from "./host.js";

export function Section({ title, children }) {
  return h(
    Box,
    { as: "section", marginTop: 6 },
    h(Heading, { as: "h2", size: "md", marginBottom: 2 }, title),
    children,
  );
}

export function Notice({ status = "info", title, children }) {
  return h(
    Alert.Root,
    { status, marginY: 2, role: status === "error" ? "alert" : "status" },
    h(Alert.Indicator),
    h(
      Alert.Content,
      null,
      title && h(Alert.Title, null, title),
      children && h(Alert.Description, null, children),
    ),
  );
}

function Waiting({ what }) {
  return h(
    Flex,
    { align: "center", gap: 3, padding: 6, role: "status" },
    h(Spinner, { size: "sm" }),
    h(Text, null, `Reading ${what} …`),
  );
}

export function Trouble({ error, retry }) {
  return h(
    Notice,
    { status: "error", title: "This cannot be shown" },
    h(Text, null, error.message),
    retry && h(Button, { size: "sm", variant: "outline", marginTop: 2, onClick: retry }, "Try again"),
  );
}

// Stands where an answer will: what goes on, or went wrong.
export function Pending({ error, retry, what }) {
  return error ? h(Trouble, { error, retry }) : h(Waiting, { what });
}

// The way to a page: `steps` are [name, address].
export function Trail({ steps }) {
  return h(
    Text,
    { as: "nav", fontSize: "sm", marginBottom: 2, "aria-label": "Breadcrumb" },
    steps.map(([name, to], place) =>
      h(Fragment, { key: to }, place > 0 && " / ", h(PageLink, { to }, name)),
    ),
  );
}

// The kinds of columns. A table is as wide as they need, and moves sideways where there is less room.
const SHORT = { whiteSpace: "nowrap" };
export const NUMBER = { whiteSpace: "nowrap", textAlign: "end", fontVariantNumeric: "tabular-nums" };
export const PROSE = { minWidth: "24em", overflowWrap: "anywhere" };

// `columns`: [title, value of a row, kind]; a value may be a node.
export function Rows({ label, columns, rows, keyOf }) {
  return h(
    Box,
    { overflowX: "auto", tabIndex: 0, role: "region", "aria-label": label },
    h(
      Table.Root,
      { size: "sm", width: "auto" },
      h(
        Table.Header,
        null,
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
            columns.map(([title, value, kind = SHORT]) =>
              h(Table.Cell, { key: title, ...kind }, value(row)),
            ),
          ),
        ),
      ),
    ),
  );
}

// From page to page, where there are several.
export function Pager({ page, last, turn }) {
  if (last < 1) return null;
  const button = { size: "sm", variant: "outline" };
  return h(
    Flex,
    { gap: 2, align: "center", marginTop: 2 },
    h(Button, { ...button, disabled: !page, onClick: () => turn(page - 1) }, "Back"),
    h(Text, { fontSize: "sm" }, `page ${page + 1} of ${last + 1}`),
    h(Button, { ...button, disabled: page === last, onClick: () => turn(page + 1) }, "On"),
  );
}

// Numbers that matter most, side by side.
export function Figures({ figures }) {
  return h(
    Flex,
    { as: "dl", wrap: "wrap", columnGap: 8, rowGap: 3, marginY: 3 },
    figures
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value, note]) =>
        h(
          Box,
          { key: name },
          h(Text, { as: "dt", fontSize: "sm", color: "fg.muted" }, name),
          h(Text, { as: "dd", fontSize: "xl", fontVariantNumeric: "tabular-nums" }, value),
          note && h(Text, { as: "dd", fontSize: "xs", color: "fg.muted" }, note),
        ),
      ),
  );
}
