// The fleet: which node serves which version of a model, how well, and what is wrong there.

import { useFields } from "./address.js";
import { useAnswer } from "./api.js";
import { edge, modelPage } from "./edge_links.js";
import { Flex, Fragment, PageLink, Text, h } from "./host.js";
import { Choice, Figures, Notice, Pager, Pending, Search, Section, Title } from "./parts.js";
import { State, wordOf } from "./states.js";
import { NAME, NUMBER, PROSE, Rows } from "./table.js";
import { Moment } from "./times.js";
import { bytes, count, number, portion, seconds } from "./words.js";

const PAGE = 250; // rows of the table
const EVERY = 15_000; // milliseconds; nodes say no more often how they are
const REASON = { ...PROSE, minWidth: "20em" };
const WORST = ["unavailable", "late", "behind", "pinned", "ready"];
const ORDERS = {
  worst: "worst first",
  node: "by node",
  seen: "heard of longest ago",
  errors: "most errors first",
  p99: "slowest p99 first",
  version: "oldest version first",
};
const NONE = { search: "", state: "", sort: "worst", version: "", model: "", page: "1" };

// A row a model of a node; a node that serves none has one, too.
function rowsOf(nodes) {
  return nodes.flatMap((node) =>
    (node.models.length ? node.models : [null]).map((model) => ({
      key: `${node.name} ${model?.name}`,
      node,
      model,
      state: stateOf(node, model),
    })),
  );
}

function stateOf(node, model) {
  if (node.late) return "late";
  if (!model || model.state !== "READY") return "unavailable";
  if (model.reason) return "behind";
  return model.pinned === null ? "ready" : "pinned";
}

function reasonOf({ node, model, state }) {
  const late = state === "late" ? "It is not heard of any more." : "";
  const pinned = state === "pinned" ? `It was told to stay at version ${model.pinned}.` : "";
  return [late, model ? model.reason : "It serves no model.", pinned].filter(Boolean).join(" ");
}

const errorsOf = (model) => (model?.requests ? model.errors / model.requests : null);
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const most = (valueOf) => (a, b) => (valueOf(b) ?? -1) - (valueOf(a) ?? -1);
const byNode = (a, b) => byText(a.node.name, b.node.name);
const SORTS = {
  worst: (a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state),
  node: byNode,
  seen: (a, b) => a.node.seen - b.node.seen,
  errors: most(({ model }) => errorsOf(model)),
  p99: most(({ model }) => model?.p99),
  version: (a, b) => (a.model?.version ?? 0) - (b.model?.version ?? 0),
};

function arranged(rows, { search, state, sort, version, model }) {
  const wanted = search.toLowerCase();
  const sorted = SORTS[sort] ?? SORTS.worst;
  return rows
    .filter(
      (row) =>
        (!state || row.state === state) &&
        (!model || row.model?.name === model) &&
        (!version || `${row.model?.version}` === version) &&
        `${row.node.name} ${row.model?.name ?? ""}`.toLowerCase().includes(wanted),
    )
    .sort((a, b) => sorted(a, b) || byNode(a, b));
}

export function Fleet() {
  const { answer, error, retry } = useAnswer("edge/nodes", { limit: 5000 }, () => EVERY);
  const [fields, change] = useFields(NONE);
  if (!answer) return h(Pending, { error, retry, what: "the fleet" });
  if (!answer.total_entries) return h(Empty);
  const all = rowsOf(answer.nodes);
  const rows = arranged(all, fields);
  const last = Math.max(1, Math.ceil(rows.length / PAGE));
  const page = Math.min(Math.max(Number.parseInt(fields.page, 10) || 1, 1), last);
  return h(
    Fragment,
    null,
    h(Title, { name: "The fleet" }),
    h(Numbers, { answer, all }),
    h(Section, { title: "Versions" }, h(Versions, { all })),
    h(
      Section,
      { title: "Nodes" },
      h(Filters, { all, rows, fields, change }),
      h(Nodes, { rows: rows.slice((page - 1) * PAGE, page * PAGE), now: answer.now }),
      h(Pager, { page, last, turn: (to) => change({ page: `${to}` }) }),
    ),
  );
}

function Empty() {
  return h(
    Fragment,
    null,
    h(Title, { name: "The fleet" }),
    h(
      Notice,
      { title: "No node has registered yet" },
      "A server that podline edge serve starts says of itself in the store what it serves.",
    ),
  );
}

function Numbers({ answer, all }) {
  const worst = new Map(); // of each node, whichever models it serves
  for (const { node, state } of all) {
    const known = worst.get(node.name) ?? state;
    worst.set(node.name, WORST.indexOf(known) < WORST.indexOf(state) ? known : state);
  }
  const of = (wanted) => [...worst.values()].filter((state) => state === wanted).length;
  return h(Figures, {
    figures: [
      ["nodes", number(answer.total_entries)],
      ["ready", number(of("ready"))],
      ...["unavailable", "late", "behind", "pinned"].map((state) => [
        wordOf(state).toLowerCase(),
        of(state) || null,
      ]),
    ],
  });
}

// How many nodes answer with which version, the newest first.
function Versions({ all }) {
  const found = new Map();
  for (const { model } of all) {
    if (!model) continue;
    const key = JSON.stringify([model.name, model.version]);
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  const rows = [...found]
    .map(([key, nodes]) => {
      const [model, version] = JSON.parse(key);
      return { model, version, nodes };
    })
    .sort((a, b) => byText(a.model, b.model) || (b.version ?? 0) - (a.version ?? 0));
  return h(Rows, {
    label: "Versions in the fleet",
    keyOf: (row) => `${row.model} ${row.version}`,
    rows,
    columns: [
      [
        "model",
        ({ model }) => h(PageLink, { to: modelPage(model) }, model),
        NAME,
        ({ model }) => model,
      ],
      ["version", (row) => h(VersionLink, row), NUMBER],
      [
        "nodes",
        ({ model, version, nodes }) =>
          version === null
            ? number(nodes)
            : h(PageLink, { to: edge.fleet({ model, version }) }, number(nodes)),
        NUMBER,
      ],
      ["rollouts", ({ model }) => h(PageLink, { to: edge.rollouts(model) }, `of ${model}`), NAME],
    ],
  });
}

export function VersionLink({ model, version }) {
  return version ? h(PageLink, { to: modelPage(model, version) }, version) : "none";
}

function Filters({ all, rows, fields, change }) {
  const states = WORST.filter((state) => all.some((row) => row.state === state));
  const n = (state) => all.filter((row) => row.state === state).length;
  const models = [...new Set(all.map((row) => row.model?.name).filter(Boolean))].sort(byText);
  const versions = [...new Set(all.map((row) => row.model?.version).filter(Boolean))].sort((a, b) => b - a);
  return h(
    Flex,
    { gap: 2, wrap: "wrap", align: "center", marginBottom: 2 },
    h(Search, {
      label: "Only nodes or models with this in their name",
      placeholder: "Only nodes or models with …",
      value: fields.search,
      look: (search) => change({ search, page: "1" }),
    }),
    models.length > 1 &&
      h(Choice, {
        size: "sm",
        label: "Only nodes with this model",
        value: fields.model,
        choices: [["", "all models"], ...models.map((name) => [name, name])],
        choose: (model) => change({ model, page: "1" }),
      }),
    h(Choice, {
      size: "sm",
      label: "Only nodes in this state",
      value: fields.state,
      choices: [["", "all states"], ...states.map((state) => [state, `${wordOf(state)} (${n(state)})`])],
      choose: (state) => change({ state, page: "1" }),
    }),
    h(Choice, {
      size: "sm",
      label: "Only nodes with this version",
      value: fields.version,
      choices: [["", "all versions"], ...versions.map((version) => [`${version}`, `version ${version}`])],
      choose: (version) => change({ version, page: "1" }),
    }),
    h(Choice, {
      size: "sm",
      label: "Order",
      value: fields.sort,
      choices: Object.entries(ORDERS),
      choose: (sort) => change({ sort, page: "1" }),
    }),
    rows.length < all.length &&
      h(Text, { fontSize: "sm", role: "status" }, `${rows.length} of ${count(all.length, "row")}`),
  );
}

function Nodes({ rows, now }) {
  return h(Rows, {
    label: "Nodes of the fleet",
    keyOf: (row) => row.key,
    rows,
    columns: [
      ["node", ({ node }) => node.name, NAME],
      ["state", ({ state }) => h(State, { state })],
      ...(rows.some(reasonOf) ? [["what is wrong", reasonOf, REASON]] : []),
      [
        "model",
        ({ model }) => (model ? h(PageLink, { to: modelPage(model.name) }, model.name) : "–"),
        NAME,
        ({ model }) => model?.name,
      ],
      ["alias", ({ model }) => model?.alias || "–"],
      [
        "version",
        ({ model }) => (model ? h(VersionLink, { model: model.name, version: model.version }) : "–"),
        NUMBER,
      ],
      ["requests", ({ model }) => number(model?.requests), NUMBER],
      ["errors", ({ model }) => h(Errors, { model }), NUMBER],
      ["p50", ({ model }) => seconds(model?.p50), NUMBER],
      ["p99", ({ model }) => seconds(model?.p99), NUMBER],
      ["off by", ({ model }) => number(model?.error), NUMBER],
      ["last heard of", ({ node }) => `${seconds(Math.max(0, Math.round(now - node.seen)))} ago`, NUMBER],
      ["memory", ({ node }) => bytes(node.memory), NUMBER],
      ["up since", ({ node }) => h(Moment, { at: node.started })],
      ["address", ({ node }) => node.address, NAME],
    ],
  });
}

function Errors({ model }) {
  if (!model?.errors) return number(model?.errors);
  return `${number(model.errors)} (${portion(errorsOf(model))})`;
}
