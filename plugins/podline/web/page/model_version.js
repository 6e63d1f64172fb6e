// One version of a model: its metrics, its files, and where it comes from.

import { address, part } from "./api.js";
import { Fragment, Link, PageLink, Text, h } from "./host.js";
import { links } from "./links.js";
import { Downloads, Figures, Section } from "./parts.js";
import { NAME, NUMBER, Rows, VALUE } from "./table.js";
import { Moment } from "./times.js";
import { bytes, literal, number, seconds } from "./words.js";

export function RunLink({ origin }) {
  if (!origin.dag_id) return "by hand";
  return h(PageLink, { to: links(false).run(origin.dag_id, origin.run_id) }, origin.run_id);
}

export function Version({ model, found }) {
  return h(
    Fragment,
    null,
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
          ["sha256", (file) => file.sha256, NAME],
          [
            "download",
            (file) => h(Downloads, { files: [[file.path, fileAddress(model, found.version, file.path)]] }),
          ],
        ],
      }),
    ),
    h(Section, { title: "Parameters" }, h(Facts, { label: "Parameters", facts: texts(found.parameters) })),
    h(Section, { title: "Libraries" }, h(Facts, { label: "Libraries", facts: texts(found.libraries) })),
  );
}

function fileAddress(model, version, path) {
  const steps = path.split("/").map(part).join("/");
  return address(`models/${part(model)}/versions/${version}/files/${steps}`);
}

const texts = (values) => Object.entries(values).map(([name, value]) => [name, literal(value)]);

function lineage({ created, type, origin, seconds: took, may_open_notebook: mayOpen }) {
  const here = [
    ["published", h(Moment, { at: created })],
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
      [
        "stage",
        h(PageLink, { to: links(false).task(dag, run, task, index, attempt) }, `${task}, try ${attempt}`),
      ],
      ...(mayOpen
        ? [["executed cells", h(Link, { href, target: "_blank", rel: "noopener", color: "fg.info" }, "open")]]
        : []),
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
      ["what", ([name]) => name],
      ["value", ([, value]) => value, VALUE],
    ],
  });
}
