// The small parts that the pages share.

import {
  Alert,
  Box,
  Button,
  Flex,
  Fragment,
  Heading,
  Input,
  NativeSelect,
  PageLink,
  Spinner,
  Text,
  h,
  useEffect,
  useState,
} from "./host.js";

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
    { as: "nav", fontSize: "sm", marginBottom: 2, overflowWrap: "anywhere", "aria-label": "Breadcrumb" },
    steps.map(([name, to], place) => h(Fragment, { key: to }, place > 0 && " / ", h(PageLink, { to }, name))),
  );
}

// A page's name, and beside it its state and the like.
export function Title({ name, children }) {
  return h(
    Flex,
    { align: "center", columnGap: 3, rowGap: 1, wrap: "wrap" },
    h(Heading, { as: "h1", size: "lg", minWidth: 0, overflowWrap: "anywhere" }, name),
    children,
  );
}

// Files to take along: `files` are [name, address].
export function Downloads({ files }) {
  return h(
    Flex,
    { as: "span", gap: 2, wrap: files.length > 2 ? "wrap" : "nowrap" },
    files.map(([name, url]) =>
      h(
        Button,
        { key: name, asChild: true, size: "xs", variant: "outline" },
        h("a", { href: url.href, download: true, "aria-label": `Download as ${name}` }, `↓ ${name}`),
      ),
    ),
  );
}

// One of several: `choices` are [value, words].
export function Choice({ label, value, choices, choose, size = "xs" }) {
  return h(
    NativeSelect.Root,
    { size, width: "auto", maxWidth: "min(100%, 420px)" },
    h(
      NativeSelect.Field,
      { "aria-label": label, value, onChange: (event) => choose(event.target.value) },
      choices.map(([name, words]) => h("option", { key: name, value: name }, words)),
    ),
    h(NativeSelect.Indicator),
  );
}

// Looks for what is typed, when no more is typed.
export function Search({ label, placeholder, value, look }) {
  const [typed, type] = useState(value);
  useEffect(() => {
    if (typed === value) return undefined;
    const timer = setTimeout(() => look(typed), 300);
    return () => clearTimeout(timer);
  }, [typed]);
  return h(Input, {
    "aria-label": label,
    placeholder,
    value: typed,
    maxWidth: "280px",
    type: "search",
    onChange: (event) => type(event.target.value),
  });
}

// From page to page, where there are several; `page` counts from 1.
export function Pager({ page, last, turn }) {
  if (last < 2) return null;
  const button = { size: "sm", variant: "outline" };
  return h(
    Flex,
    { gap: 2, align: "center", marginTop: 2 },
    h(Button, { ...button, disabled: page === 1, onClick: () => turn(page - 1) }, "Back"),
    h(Text, { fontSize: "sm" }, `page ${page} of ${last}`),
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
