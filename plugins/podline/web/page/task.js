// One try of a task instance: its phases, its cells, what it moved, and what the cluster said.

import { address, part, useAnswer } from "./api.js";
import { Badge, Box, Flex, Fragment, Heading, Link, PageLink, Text, h } from "./host.js";
import { Bar, Legend, isInside, meaningOf, placeOf } from "./looks.js";
import { Figures, Notice, NUMBER, Pending, PROSE, Rows, Section } from "./parts.js";
import { bytes, instance, moment, range, seconds } from "./words.js";

export function Task({ dagId, runId, taskId, mapIndex, tryNumber, links }) {
  const path = `dags/${part(dagId)}/runs/${part(runId)}/tasks/${part(taskId)}`;
  const query = { map_index: mapIndex, try_number: tryNumber };
  const { answer, error, retry } = useAnswer(path, query, (found) => found.end === null);
  if (!answer) return h(Pending, { error, retry, what: "the try" });
  const inside = answer.phases.filter(({ name }) => isInside(name));
  return h(
    Fragment,
    null,
    h(
      Flex,
      { align: "center", gap: 3, wrap: "wrap" },
      h(Heading, { as: "h1", size: "lg" }, instance(taskId, mapIndex)),
      h(Badge, null, answer.state || "not started"),
      h(Tries, { found: answer, links }),
    ),
    h(PageLink, { to: links.run(dagId, runId), fontSize: "sm" }, "the whole run"),
    answer.partial && h(Notice, { status: "warning", title: "Not known whole" }, answer.partial),
    answer.failure && h(Notice, { status: "error", title: "Why it failed" }, h(Quoted, null, answer.failure)),
    h(Numbers, { found: answer }),
    inside.length > 0 &&
      h(
        Section,
        { title: "Phases" },
        h(Bar, {
          parts: inside.map((phase) => [phase.name, phase.seconds]),
          label: "The try by phase; the table has the numbers",
        }),
        h(Legend, { phases: inside.map(({ name }) => name) }),
        h(Phases, { found: answer }),
      ),
    h(Cells, { found: answer }),
    h(Moved, { found: answer }),
    h(Pod, { found: answer }),
    answer.executed_notebook &&
      h(
        Section,
        { title: "Executed notebook" },
        h(
          Link,
          { href: address(`${path}/notebook`, query).href, target: "_blank", rel: "noopener", color: "fg.info" },
          "Open the cells with their outputs",
        ),
      ),
  );
}

function Quoted({ children }) {
  return h(Box, { as: "pre", whiteSpace: "pre-wrap", fontSize: "sm" }, children);
}

function Tries({ found, links }) {
  if (found.tries.length < 2) return h(Text, { fontSize: "sm" }, `try ${found.try_number}`);
  return h(
    Flex,
    { as: "nav", gap: 2, "aria-label": "Tries" },
    found.tries.map((number) =>
      number === found.try_number
        ? h(Text, { key: number, fontWeight: "bold", "aria-current": "page" }, `try ${number}`)
        : h(
            PageLink,
            { key: number, to: links.task(found.dag_id, found.run_id, found.task_id, found.map_index, number) },
            `try ${number}`,
          ),
    ),
  );
}

function Numbers({ found }) {
  return h(Figures, {
    figures: [
      ["duration", found.end === null ? "running" : seconds(found.duration)],
      ["overhead", found.overhead === null ? null : seconds(found.overhead)],
      ["started", moment(found.start)],
      ["where", found.backend || found.kind],
      ["peak memory", found.peak_memory && bytes(found.peak_memory)],
      ["adopted from", found.adopted_from === null ? null : `try ${found.adopted_from}`],
    ],
  });
}

function Phases({ found }) {
  return h(Rows, {
    label: "Phases of the try",
    keyOf: (phase) => phase.name,
    rows: found.phases,
    columns: [
      ["phase", (phase) => phase.name],
      ["where", (phase) => placeOf(phase.name)],
      ["from", (phase) => seconds(phase.start), NUMBER],
      ["took", (phase) => seconds(phase.seconds), NUMBER],
      ["usually: median [p10 – p90]", (phase) => range(found.usual[phase.name]), NUMBER],
      ["measured by", (phase) => `${phase.source}, to ${seconds(phase.precision)}`],
      ["what it is", (phase) => meaningOf(phase.name), PROSE],
    ],
  });
}

function Cells({ found }) {
  if (!found.cells.length) return null;
  return h(
    Section,
    { title: "Cells" },
    h(Rows, {
      label: "Cells of the stage",
      rows: found.cells,
      columns: [
        ["cell", (cell) => `${cell.number}`, NUMBER],
        ["from", (cell) => seconds(cell.start), NUMBER],
        ["took", (cell) => seconds(cell.seconds), NUMBER],
      ],
    }),
    h(Text, { fontSize: "xs", color: "fg.muted" }, "Measured by the stage’s own monotonic clock."),
  );
}

function Moved({ found }) {
  if (found.bytes_in === null && found.bytes_out === null) return null;
  const took = (name) => found.phases.find((phase) => phase.name === name)?.seconds;
  const rows = [
    ["in", found.bytes_in, took("fetch")],
    ["out", found.bytes_out, took("store")],
  ];
  return h(
    Section,
    { title: "Moved" },
    h(Rows, {
      label: "Bytes moved",
      rows,
      columns: [
        ["way", ([way]) => way],
        ["bytes", ([, size]) => bytes(size), NUMBER],
        ["in", ([, , time]) => seconds(time), NUMBER],
        ["throughput", ([, size, time]) => (size && time ? `${bytes(size / time)}/s` : "–"), NUMBER],
      ],
    }),
  );
}

function Pod({ found }) {
  if (!found.pod) return null;
  return h(
    Section,
    { title: "Pod" },
    h(
      Text,
      { overflowWrap: "anywhere" },
      `${found.namespace}/${found.pod} on ${found.node || "no node"}, from ${found.image}`,
    ),
    h(Clock, { skew: found.skew }),
    found.events.length > 0 &&
      h(Rows, {
        label: "Events of the pod",
        rows: found.events,
        columns: [
          ["event", (event) => event.reason],
          ["what the cluster said", (event) => event.message, PROSE],
          ["times", (event) => event.count, NUMBER],
          ["last at", (event) => moment(event.at)],
        ],
      }),
  );
}

// Nothing is to be told where the two clocks were not compared.
function Clock({ skew }) {
  if ((skew?.low ?? null) === null) return null;
  const bounds =
    skew.high === null
      ? `at least ${seconds(skew.low)}`
      : `between ${seconds(skew.low)} and ${seconds(skew.high)}`;
  return h(
    Text,
    { fontSize: "sm", color: "fg.muted" },
    `Its clock was taken to be ${seconds(skew.seconds)} ahead of the worker’s: by what happened ` +
      `before what, it must be ${bounds}.`,
  );
}
