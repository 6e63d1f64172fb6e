// The last rollouts, and what came of them.

import { useAnswer } from "./api.js";
import { edge, modelPage } from "./edge_links.js";
import { Fragment, PageLink, Text, h } from "./host.js";
import { Notice, Pending, Title } from "./parts.js";
import { State } from "./states.js";
import { NAME, NUMBER, PROSE, Rows } from "./table.js";
import { Moment } from "./times.js";
import { seconds } from "./words.js";

const LAST = 100;
const UNDERLINED = { textDecoration: "underline" };
const isLive = ({ rollouts }) => rollouts.some(({ state }) => state === "running");

// `model`: of which; null: of all.
export function Rollouts({ model }) {
  const { answer, error, retry } = useAnswer("edge/rollouts", { model, limit: LAST }, isLive);
  if (!answer) return h(Pending, { error, retry, what: "the rollouts" });
  const { rollouts } = answer;
  return h(
    Fragment,
    null,
    h(
      Title,
      { name: model ? `Rollouts of ${model}` : "Rollouts" },
      model && h(PageLink, { to: modelPage(model), style: { fontSize: 14 } }, "the model"),
      model && h(PageLink, { to: edge.rollouts(), style: { fontSize: 14 } }, "all rollouts"),
    ),
    rollouts.length ? h(Listed, { rollouts }) : h(Nothing),
    rollouts.length === LAST && h(Text, { fontSize: "sm", color: "fg.muted" }, `The last ${LAST}.`),
  );
}

function Nothing() {
  return h(
    Notice,
    { title: "No version is rolled out yet" },
    "A rollout takes a version to the nodes of the fleet: a few first, then the rest.",
  );
}

function Listed({ rollouts }) {
  return h(Rows, {
    label: "Rollouts",
    keyOf: (one) => one.id,
    rows: rollouts,
    columns: [
      ["started", (one) => h(PageLink, { to: edge.rollout(one.model, one.id) }, h(Moment, { at: one.started }))],
      ["state", (one) => h(State, { state: one.state })],
      ["model", (one) => h(PageLink, { to: modelPage(one.model) }, one.model), NAME, (one) => one.model],
      ["version", (one) => h(Way, one)],
      ["nodes", (one) => nodesOf(one), NUMBER],
      ["took", (one) => (one.ended === null ? "goes on" : seconds(one.ended - one.started)), NUMBER],
      ["why", (one) => whyOf(one), PROSE],
      ["ordered", (one) => one.started_by, NAME],
    ],
  });
}

// From which version to which.
export function Way({ model, before, version }) {
  return h(
    Fragment,
    null,
    before ? `${before} → ` : "",
    h(PageLink, { to: modelPage(model, version), style: UNDERLINED }, version),
  );
}

function whyOf({ ended, step, decision }) {
  const now = ended === null ? `at the step: ${step}` : "";
  return [now, decision].filter(Boolean).join("; ") || "–";
}

function nodesOf({ nodes }) {
  const all = Object.values(nodes).reduce((sum, n) => sum + n, 0);
  return `${nodes.serving ?? 0} of ${all}`;
}
