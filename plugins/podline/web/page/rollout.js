// One rollout: what was decided and why, how the two versions did, and each node's way to the new one.

import { Actions, Facts } from "./about.js";
import { useFields } from "./address.js";
import { part, useAnswer } from "./api.js";
import { edge, modelPage } from "./edge_links.js";
import { Box, Flex, Fragment, PageLink, Text, h, useMemo } from "./host.js";
import { useNow } from "./live.js";
import { Legend, PHASE_ORDER, meaningOf, labelOf, ofRollout } from "./looks.js";
import { Figures, Notice, Pending, Section, Title, Trail, Trouble } from "./parts.js";
import { ORDERS, arranged, columnsOf, rowsOf } from "./rollout_rows.js";
import { Way } from "./rollouts.js";
import { NO_FILTER } from "./rows.js";
import { State, wordOf } from "./states.js";
import { NAME, NUMBER, PROSE, Rows } from "./table.js";
import { Moment } from "./times.js";
import { Filters } from "./toolbar.js";
import { Waterfall } from "./waterfall.js";
import { number, portion, seconds, share } from "./words.js";

const STEPS = ["survey", "canary", "observation", "promotion", "rest", "end"];
const STATUS = { promoted: "success", running: "info", "rolled back": "warning" };
const isLive = ({ state }) => state === "running";

export function Rollout({ model, id }) {
  const path = `edge/rollouts/${part(model)}/${part(id)}`;
  const { answer, error, retry } = useAnswer(path, {}, isLive);
  if (!answer) return h(Pending, { error, retry, what: "the rollout" });
  return h(
    Fragment,
    null,
    h(Trail, {
      steps: [
        ["Rollouts", edge.rollouts()],
        [model, edge.rollouts(model)],
      ],
    }),
    h(
      Title,
      { name: `${model}: version ${answer.version} to the edge` },
      h(State, { state: answer.state }),
      isLive(answer) && h(Text, { fontSize: "sm", color: "fg.muted", role: "status" }, "live"),
    ),
    h(About, { rollout: answer }),
    error && h(Trouble, { error, retry }),
    h(Decision, { rollout: answer }),
    h(Numbers, { rollout: answer }),
    answer.new.requests + answer.old.requests > 0 && h(Compared, { rollout: answer }),
    h(Nodes, { rollout: answer }),
    h(Section, { title: "How it was to be rolled out" }, h(Facts, { facts: strategyOf(answer.strategy) })),
  );
}

function About({ rollout }) {
  return h(
    Fragment,
    null,
    h(Facts, {
      facts: [
        ["model", h(PageLink, { to: modelPage(rollout.model) }, rollout.model)],
        ["version", h(Way, rollout)],
        ["alias", rollout.alias],
        ["started", h(Moment, { at: rollout.started })],
        ["ended", rollout.ended === null ? null : h(Moment, { at: rollout.ended })],
        ["ordered", rollout.started_by],
      ],
    }),
    h(Actions, {
      links: [
        ["the version", modelPage(rollout.model, rollout.version)],
        ["nodes that serve it", edge.fleet({ model: rollout.model, version: rollout.version })],
        ["all rollouts of the model", edge.rollouts(rollout.model)],
      ],
    }),
  );
}

function Decision({ rollout: { state, step, decision } }) {
  const word = wordOf(state);
  return h(
    Notice,
    { status: STATUS[state] ?? "error", title: decision ? `${word}: ${decision}` : word },
    state === "running" && h(Steps, { step }),
  );
}

function Steps({ step }) {
  return h(
    Flex,
    { as: "ol", gap: 2, wrap: "wrap", listStyleType: "none" },
    STEPS.map((name, place) =>
      h(
        Box,
        {
          as: "li",
          key: name,
          fontWeight: name === step ? "bold" : undefined,
          "aria-current": name === step ? "step" : undefined,
        },
        place > 0 && "→ ",
        name,
      ),
    ),
  );
}

function middle(lengths) {
  const sorted = lengths.toSorted((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

const swapped = ({ phases }) => {
  const swap = phases.find(({ name }) => name === "swap");
  return swap ? swap.start + swap.seconds : null;
};

function Numbers({ rollout }) {
  const { nodes, started, ended } = rollout;
  const now = useNow(isLive(rollout));
  const of = (state) => nodes.filter((node) => node.state === state).length;
  const lengths = nodes.map(swapped).filter((length) => length !== null);
  return h(Figures, {
    figures: [
      ["serving it", `${number(of("serving"))} of ${number(nodes.length)}`, "nodes"],
      ...["told", "waiting", "refused", "unreachable", "passed over", "returned"].map((state) => [
        wordOf(state).toLowerCase(),
        of(state) || null,
      ]),
      ["until a node served it", lengths.length ? seconds(middle(lengths)) : null, "in the median"],
      ["slowest node", lengths.length ? seconds(Math.max(...lengths)) : null],
      [ended === null ? "so far" : "took", seconds((ended ?? Math.max(now, started)) - started)],
    ],
  });
}

function Compared({ rollout }) {
  const rows = [
    [`version ${rollout.version}, the new one`, rollout.new],
    [rollout.before ? `version ${rollout.before}, the old one` : "the old one", rollout.old],
  ];
  return h(
    Section,
    { title: "Side by side, while they were watched" },
    h(Rows, {
      label: "The two versions while they were watched",
      keyOf: ([name]) => name,
      rows,
      columns: [
        ["version", ([name]) => name],
        ["nodes", ([, found]) => number(found.nodes), NUMBER],
        ["requests", ([, found]) => number(found.requests), NUMBER],
        ["errors", ([, found]) => number(found.errors), NUMBER],
        ["of its requests", ([, { errors, requests }]) => portion(requests ? errors / requests : null), NUMBER],
        ["p50", ([, found]) => seconds(found.p50), NUMBER],
        ["p99", ([, found]) => seconds(found.p99), NUMBER],
        ["answers checked", ([, found]) => number(found.labels), NUMBER],
        ["off by", ([, found]) => number(found.error), NUMBER],
      ],
    }),
  );
}

// The waterfall, and the same nodes as a table.
function Nodes({ rollout }) {
  const [fields, change] = useFields(NO_FILTER);
  const now = useNow(isLive(rollout));
  const columns = useMemo(() => columnsOf(rollout), [rollout]);
  const all = useMemo(() => rowsOf(rollout, now), [rollout, now]);
  const { state, named, phase, longer, sort } = fields;
  const rows = useMemo(
    () => arranged(all, columns, { state, named, phase, longer, sort }),
    [all, columns, state, named, phase, longer, sort],
  );
  const found = new Set([...Object.keys(columns.phases), ...all.map((row) => row.live?.phase)]);
  const phases = PHASE_ORDER.filter((name) => found.has(name));
  return h(
    Section,
    { title: "Nodes by phase" },
    h(Legend, { phases, isolated: phase, isolate: (name) => change({ phase: name }) }),
    h(Filters, { all, rows, fields, change, orders: ORDERS, one: ["node", "nodes"], named: "node" }),
    h(Waterfall, {
      tries: columns,
      all,
      rows,
      phase,
      linkOf: (index) => edge.fleet({ search: rollout.nodes[index].name }),
      of: "rollout",
      what: "nodes",
    }),
    h(Box, { marginTop: 4 }, h(Listed, { rows, phases })),
  );
}

const PUBLISH = "publish";
const lengthOf = ({ node }, phase) => node.phases.find(({ name }) => name === phase)?.seconds ?? null;

function Listed({ rows, phases }) {
  const names = [ofRollout(PUBLISH), ...phases.filter((name) => name !== ofRollout(PUBLISH))];
  const plain = (name) => name.slice(ofRollout("").length);
  const wrong = rows.some(({ node }) => node.error);
  return h(Rows, {
    label: "Nodes of the rollout",
    keyOf: (row) => row.index,
    rows,
    columns: [
      [
        "node",
        ({ name }) => h(PageLink, { to: edge.fleet({ search: name }) }, name),
        NAME,
        ({ name }) => name,
      ],
      ["state", ({ node }) => h(State, { state: node.state })],
      ...(wrong ? [["what is wrong", ({ node }) => node.error, PROSE]] : []),
      ["wave", ({ node }) => (node.wave === null ? "rest" : `canary ${node.wave + 1}`)],
      ["version", ({ node }) => `${node.before ?? "none"} → ${node.version ?? "none"}`],
      ["served after", ({ node }) => seconds(swapped(node)), NUMBER],
      ...names.map((name) => [
        h("span", { key: name, title: meaningOf(name) }, labelOf(name)),
        (row) => seconds(lengthOf(row, plain(name))),
        NUMBER,
      ]),
      ["asked", ({ node }) => number(node.tries), NUMBER],
    ],
  });
}

function strategyOf(strategy) {
  return [
    ["canaries", strategy.canaries.join(", then ") || "none: all at once"],
    ["watched for", seconds(strategy.observe)],
    ["judged at the latest after", seconds(strategy.limit)],
    ["from requests", number(strategy.requests)],
    ["more errors, at most", share(strategy.errors)],
    ["times as slow, at most", number(strategy.latency)],
    ["times as far off, at most", number(strategy.quality)],
    ["may refuse, at most", share(strategy.refused)],
    ["told at once", number(strategy.parallel)],
    ["given up after", seconds(strategy.patience)],
  ];
}
