// The published models: their versions side by side, and where each comes from.

import { address, part, useAnswer } from "./api.js";
import { Badge, Flex, Fragment, Heading, Link, PageLink, Text, h, useSearchParams } from "./host.js";
import { links } from "./links.js";
import { Figures, Notice, NUMBER, Pending, PROSE, Rows, Section, Trail } from "./parts.js";
import { bytes, day, number, seconds } from "./words.js";

const PAGE = "/plugin/podline-models";
const to = (fields) => `${PAGE}?${new URLSearchParams(fields)}`;

export function Models() {
  const [query] = useSearchParams();
  const [model, version] = [query.get("model"), query.get("version")];
  if (model === null) return h(All);
  return h(One, { model, version: version === null ? null : Number(version) });
}

function All() {
  const { answer, error, retry } = useAnswer("models");
  return h(
    Fragment,
    null,
    h(Heading, { as: "h1", size: "lg" }, "Published models"),
    !answer && h(Pending, { error, retry, what: "the models" }),
    answer && (answer.models.length ? h(Listed, answer) : h(Nothing)),
  );
}

function Nothing() {
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
      ["model", ({ model }) => h(PageLink, { to: to({ model }) }, model)],
      ["aliases", ({ aliases }) => Object.entries(aliases).map(([name, at]) => `${name} ${at}`).join(", ") || "–"],
    ],
  });
}

function One({ model, version }) {
  const { answer, error, retry } = useAnswer(`models/${part(model)}`);
  if (!answer) return h(Pending, { error, retry, what: "the model" });
  const found = answer.versions.find((one) => one.version === version);
  return h(
    Fragment,
    null,
    h(Trail, { steps: [["All models", PAGE], ...(version === null ? [] : [[model, to({ model })]])] }),
    h(Heading, { as: "h1", size: "lg" }, version === null ? model : `${model} version ${version}`),
    version === null && h(Versions, answer),
    version !== null && (found ? h(Version, { found }) : h(Notice, { title: "There is no such version" })),
  );
}

function Aliases({ names }) {
  return h(Flex, { gap: 1 }, names.map((name) => h(Badge, { key: name, colorPalette: "blue" }, name)));
}

function Versions({ model, versions }) {
  const metrics = [...new Set(versions.flatMap((one) => Object.keys(one.metrics)))];
  return h(Rows, {
    label: "Versions",
    keyOf: (one) => one.version,
    rows: versions,
    columns: [
      ["version", (one) => h(PageLink, { to: to({ model, version: one.version }) }, one.version)],
      ["aliases", (one) => h(Aliases, { names: one.aliases })],
      ["published", (one) => day(one.created)],
      ["run", (one) => h(RunLink, { origin: one.origin })],
      ["size", (one) => bytes(one.bytes), NUMBER],
      ...metrics.map((name) => [name, (one) => number(one.metrics[name]), NUMBER]),
    ],
  });
}

function RunLink({ origin }) {
  if (origin.hidden) return "of a DAG that you may not see";
  if (!origin.dag_id) return "by hand";
  return h(PageLink, { to: links(false).run(origin.dag_id, origin.run_id) }, origin.run_id);
}

function Version({ found }) {
  return h(
    Fragment,
    null,
    h(Aliases, { names: found.aliases }),
    h(Figures, {
      figures: Object.entries(found.metrics).map(([name, value]) => [name, number(value)]),
    }),
    h(Section, { title: "Where it comes from" }, h(Facts, { label: "Origin", facts: lineage(found) })),
    h(
      Section,
      { title: "Files" },
      h(Rows, {
        label: "Files",
        keyOf: (file) => file.path,
        rows: found.files,
        columns: [
          ["file", (file) => file.path],
          ["size", (file) => bytes(file.bytes), NUMBER],
          ["sha256", (file) => file.sha256],
        ],
      }),
    ),
    h(Section, { title: "Parameters" }, h(Facts, { label: "Parameters", facts: texts(found.parameters) })),
    h(Section, { title: "Libraries" }, h(Facts, { label: "Libraries", facts: texts(found.libraries) })),
  );
}

const texts = (values) =>
  Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);

function lineage({ created, type, origin, seconds: took }) {
  const here = [
    ["published", day(created)],
    ["type", type],
    ["run", h(RunLink, { origin })],
  ];
  if (origin.dag_id) {
    const { dag_id: dag, run_id: run, task_id: task, map_index: index, try_number: attempt } = origin;
    const { href } = address(`dags/${part(dag)}/runs/${part(run)}/tasks/${part(task)}/notebook`, {
      map_index: index,
      try_number: attempt,
    });
    here.push(
      ["DAG", h(PageLink, { to: links(true).dag(dag) }, dag)],
      ["stage", h(PageLink, { to: links(false).task(dag, run, task, index, attempt) }, `${task}, try ${attempt}`)],
      ["executed cells", h(Link, { href, target: "_blank", rel: "noopener", color: "fg.info" }, "open")],
    );
  }
  if (origin.notebook) here.push(["notebook", `${origin.notebook}, sha256 ${origin.notebook_sha256}`]);
  const data = Object.entries(origin.data).map(([name, digest]) => [`data ${name}`, `sha256 ${digest}`]);
  const steps = Object.entries(took).map(([step, value]) => [`took to ${step}`, seconds(value)]);
  return [...here, ...data, ...steps];
}

function Facts({ label, facts }) {
  if (!facts.length) return h(Text, null, "–");
  return h(Rows, {
    label,
    keyOf: ([name]) => name,
    rows: facts,
    columns: [
      ["", ([name]) => name],
      [" ", ([, value]) => value, PROSE],
    ],
  });
}
