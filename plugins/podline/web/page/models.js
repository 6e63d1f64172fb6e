// The published models: what there is, the versions of one, and what is to be done with them.

import { useFields } from "./address.js";
import { Actions } from "./about.js";
import { Aliases, Promotion } from "./aliases.js";
import { part, useAnswer } from "./api.js";
import { edge } from "./edge_links.js";
import { Button, Flex, Fragment, PageLink, Text, h, useNavigate, useSearchParams, useState } from "./host.js";
import { Comparison } from "./model_comparison.js";
import { RunLink, Version } from "./model_version.js";
import { Notice, Pager, Pending, Search, Title, Trail } from "./parts.js";
import { NAME, NUMBER, Rows } from "./table.js";
import { Moment } from "./times.js";
import { bytes, number } from "./words.js";

const HERE = "/plugin/podline-models";
const PAGE = 50; // models on a page
const to = (fields) => `${HERE}?${new URLSearchParams(fields)}`;

export function Models() {
  const [query] = useSearchParams();
  const [model, version, compared] = ["model", "version", "compare"].map((name) => query.get(name));
  if (model === null) return h(All);
  return h(One, { key: model, model, version: version === null ? null : Number(version), compared });
}

function All() {
  const [fields, change] = useFields({ search: "", page: "1" });
  const page = Math.max(1, Number.parseInt(fields.page, 10) || 1);
  const query = { search: fields.search, limit: PAGE, offset: (page - 1) * PAGE };
  const { answer, error, retry } = useAnswer("models", query);
  return h(
    Fragment,
    null,
    h(Title, { name: "Published models" }),
    h(
      Flex,
      { marginY: 3 },
      h(Search, {
        label: "Only models with this in their name",
        placeholder: "Only models with …",
        value: fields.search,
        look: (search) => change({ search, page: "1" }),
      }),
    ),
    !answer && h(Pending, { error, retry, what: "the models" }),
    answer && (answer.models.length ? h(Listed, answer) : h(Nothing, { search: fields.search })),
    answer &&
      h(Pager, { page, last: Math.ceil(answer.total_entries / PAGE), turn: (n) => change({ page: `${n}` }) }),
  );
}

function Nothing({ search }) {
  if (search) return h(Notice, { title: `No model with “${search}” is published` });
  return h(
    Notice,
    { title: "No model is published yet" },
    "A notebook publishes one with podline.publish(model, name).",
  );
}

function Listed({ models }) {
  return h(Rows, {
    label: "Models",
    keyOf: (found) => found.model,
    rows: models,
    columns: [
      ["model", ({ model }) => h(PageLink, { to: to({ model }) }, model), NAME, ({ model }) => model],
      [
        "aliases",
        ({ aliases }) =>
          Object.entries(aliases)
            .map(([name, at]) => `${name} ${at}`)
            .join(", ") || "–",
      ],
    ],
  });
}

function One({ model, version, compared }) {
  const { answer, error, retry } = useAnswer(`models/${part(model)}`);
  if (!answer) return h(Pending, { error, retry, what: "the model" });
  const found = answer.versions.find((one) => one.version === version);
  const what = compared
    ? `${model}, versions side by side`
    : version === null
      ? model
      : `${model} version ${version}`;
  return h(
    Fragment,
    null,
    h(Trail, {
      steps: [["All models", HERE], ...(version === null && !compared ? [] : [[model, to({ model })]])],
    }),
    h(Title, { name: what }, found && h(Aliases, { names: found.aliases })),
    !compared &&
      h(Actions, {
        links: [
          ["nodes that serve it", edge.fleet(found ? { model, version } : { model })],
          ["rollouts", edge.rollouts(model)],
        ],
      }),
    compared
      ? h(Comparison, { model, versions: compared })
      : version === null
        ? h(Versions, { found: answer, changed: retry })
        : found
          ? h(Version, { model, found })
          : h(Notice, { title: "There is no such version" }),
  );
}

function Versions({ found, changed }) {
  const { model, versions } = found;
  const metrics = [...new Set(versions.flatMap((one) => Object.keys(one.metrics)))];
  const [chosen, choose] = useState([]);
  const navigate = useNavigate();
  const toggle = (version) =>
    choose((old) => (old.includes(version) ? old.filter((one) => one !== version) : [...old, version]));
  return h(
    Fragment,
    null,
    h(Promotion, { found, changed }),
    h(
      Flex,
      { gap: 2, align: "center", marginY: 2 },
      h(
        Button,
        {
          size: "xs",
          variant: "outline",
          disabled: chosen.length < 2,
          onClick: () => navigate(to({ model, compare: chosen.toSorted((a, b) => a - b).join(",") })),
        },
        "compare the chosen",
      ),
      chosen.length < 2 && h(Text, { fontSize: "sm", color: "fg.muted" }, "Choose two versions or more."),
    ),
    h(Rows, {
      label: "Versions",
      keyOf: (one) => one.version,
      rows: versions,
      columns: [
        [
          "compare",
          ({ version }) =>
            h("input", {
              type: "checkbox",
              checked: chosen.includes(version),
              "aria-label": `compare version ${version}`,
              onChange: () => toggle(version),
            }),
        ],
        ["version", (one) => h(PageLink, { to: to({ model, version: one.version }) }, one.version)],
        ["aliases", (one) => h(Aliases, { names: one.aliases })],
        ["published", (one) => h(Moment, { at: one.created })],
        ["run", (one) => h(RunLink, { origin: one.origin }), NAME, (one) => one.origin.run_id],
        ["size", (one) => bytes(one.bytes), NUMBER],
        ...metrics.map((name) => [name, (one) => number(one.metrics[name]), NUMBER]),
      ],
    }),
  );
}
