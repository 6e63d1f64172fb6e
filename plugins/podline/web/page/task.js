// One try of a task instance: its phases, its cells, what it moved, and what the cluster said.

import { AboutRun, Actions, Facts } from "./about.js";
import { address, part, useAnswer } from "./api.js";
import { Box, Flex, Fragment, Link, PageLink, Text, h } from "./host.js";
import { Instances } from "./instances.js";
import { airflow } from "./links.js";
import { Bar, Legend, isInside, meaningOf, placeOf } from "./looks.js";
import { Downloads, Figures, Notice, Pending, Section, Title } from "./parts.js";
import { wordsOf } from "./pod_ahead.js";
import { State } from "./states.js";
import { NUMBER, PROSE, Rows } from "./table.js";
import { Moment } from "./times.js";
import { bytes, difference, instance, range, seconds } from "./words.js";

const ENDED = ["success", "failed", "skipped", "upstream_failed", "removed"];
const isOver = (found) => ENDED.includes(found.state);

export function Task({ dagId, runId, taskId, mapIndex, tryNumber, links }) {
  const path = `dags/${part(dagId)}/runs/${part(runId)}/tasks/${part(taskId)}`;
  const query = { map_index: mapIndex, try_number: tryNumber };
  const isLive = (found) => found.end === null && !isOver(found);
  const { answer, error, retry } = useAnswer(path, query, isLive);
  if (error?.status === 404 && mapIndex < 0) return h(Instances, { dagId, runId, taskId, links, error });
  if (!answer) return h(Pending, { error, retry, what: "the try" });
  const file = (format) => [format.toUpperCase(), address(path, { ...query, format, download: 1 })];
  return h(
    Fragment,
    null,
    h(
      Title,
      { name: instance(taskId, mapIndex) },
      h(State, { state: answer.state, again: answer.try_number < answer.tries.at(-1) }),
      h(Tries, { found: answer, links }),
    ),
    h(Run, { dagId, runId, links }),
    h(Actions, {
      links: [
        ...(answer.try_number === null
          ? [] // there is none
          : [["this try’s log", airflow.log(dagId, runId, taskId, mapIndex, answer.try_number)]]),
        ["the whole run", links.run(dagId, runId)],
        ["trend of this task", links.trend(dagId, taskId, "")],
        ...(mapIndex >= 0 ? [["all its instances", links.instances(dagId, runId, taskId)]] : []),
      ],
      files: [file("csv"), file("json")],
    }),
    answer.state === "upstream_failed" &&
      h(
        Notice,
        { title: "It did not run" },
        "A task that it waits for failed: the whole run says which, and why.",
      ),
    answer.partial && h(Notice, { status: "warning", title: "Not known whole" }, answer.partial),
    answer.failure && h(Notice, { status: "error", title: "Why it failed" }, h(Quoted, null, answer.failure)),
    h(Numbers, { found: answer }),
    h(Phases, { found: answer, dagId, links }),
    h(Cells, { found: answer }),
    h(Moved, { found: answer }),
    h(Pod, { found: answer }),
    answer.executed_notebook && h(Notebook, { path, query }),
  );
}

// Of which run it is; a run's answer with one try is small.
function Run({ dagId, runId, links }) {
  const { answer } = useAnswer(`dags/${part(dagId)}/runs/${part(runId)}`, { limit: 1, runs: 1 });
  if (answer) return h(AboutRun, { run: answer, links });
  return h(Facts, {
    facts: [
      ["DAG", dagId],
      ["run", runId],
    ],
  });
}

function Notebook({ path, query }) {
  return h(
    Section,
    { title: "Executed notebook" },
    h(
      Flex,
      { gap: 3, align: "center", wrap: "wrap" },
      h(
        Link,
        {
          href: address(`${path}/notebook`, query).href,
          target: "_blank",
          rel: "noopener",
          color: "fg.info",
        },
        "Open the cells with their outputs",
      ),
      h(Downloads, {
        files: [[".ipynb", address(`${path}/notebook`, { ...query, form: "ipynb", download: 1 })]],
      }),
    ),
  );
}

function Quoted({ children }) {
  return h(Box, { as: "pre", whiteSpace: "pre-wrap", fontSize: "sm" }, children);
}

function Tries({ found, links }) {
  if (found.try_number === null) return null;
  if (found.tries.length < 2) return h(Text, { fontSize: "sm" }, `try ${found.try_number}`);
  return h(
    Flex,
    { as: "nav", gap: 2, "aria-label": "Tries" },
    found.tries.map((number) =>
      number === found.try_number
        ? h(Text, { key: number, fontWeight: "bold", "aria-current": "page" }, `try ${number}`)
        : h(
            PageLink,
            {
              key: number,
              to: links.task(found.dag_id, found.run_id, found.task_id, found.map_index, number),
            },
            `try ${number}`,
          ),
    ),
  );
}

function Numbers({ found }) {
  const now =
    found.phase_now && `${found.phase_now} for ${seconds(Date.now() / 1000 - found.phase_now_since)}`;
  const running = found.start !== null && found.end === null && !isOver(found);
  return h(Figures, {
    figures: [
      ["now", now],
      ["duration", running ? "running" : found.duration === null ? null : seconds(found.duration)],
      ["overhead", found.overhead === null ? null : seconds(found.overhead)],
      ["started", found.start !== null ? h(Moment, { at: found.start }) : isOver(found) ? null : "not yet"],
      ["where", found.backend || found.kind],
      ["peak memory", found.peak_memory && bytes(found.peak_memory)],
      ["adopted from", found.adopted_from === null ? null : `try ${found.adopted_from}`],
    ],
  });
}

// The phase that a try is at, as far as it has come.
function underWay({ start, phase_now: name, phase_now_since: since }) {
  if (!name || start === null) return [];
  return [{ name, start: since - start, seconds: Math.max(Date.now() / 1000 - since, 0), source: null }];
}

function Phases({ found, dagId, links }) {
  const phases = [...found.phases, ...underWay(found)];
  const inside = phases.filter(({ name }) => isInside(name));
  if (!phases.length) return null;
  const more = (phase) => (phase.name in found.usual ? phase.seconds - found.usual[phase.name].p50 : null);
  return h(
    Section,
    { title: "Phases" },
    h(Bar, {
      parts: inside.map((phase) => [phase.name, phase.seconds]),
      label: "The try by phase; the table has the numbers",
    }),
    h(Legend, { phases: inside.map(({ name }) => name) }),
    h(Rows, {
      label: "Phases of the try",
      keyOf: (phase) => phase.name,
      rows: phases,
      columns: [
        ["phase", (phase) => h(PageLink, { to: links.trend(dagId, found.task_id, phase.name) }, phase.name)],
        ["where", (phase) => placeOf(phase.name)],
        ["from", (phase) => seconds(phase.start), NUMBER],
        ["took", (phase) => seconds(phase.seconds), NUMBER],
        ["more than usual", (phase) => difference(more(phase)), NUMBER],
        ["usually: median [p10 – p90]", (phase) => range(found.usual[phase.name]), NUMBER],
        ["measured by", (phase) => phase.source ? `${phase.source}, to ${seconds(phase.precision)}` : "goes on"],
        ["what it is", (phase) => meaningOf(phase.name)],
      ],
    }),
  );
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
    found.ahead && h(Text, { fontSize: "sm", color: "fg.muted" }, wordsOf(found.ahead, found.start)),
    h(Clock, { skew: found.skew }),
    found.events.length > 0 &&
      h(Rows, {
        label: "Events of the pod",
        rows: found.events,
        columns: [
          ["event", (event) => event.reason],
          ["what the cluster said", (event) => event.message, PROSE],
          ["times", (event) => event.count, NUMBER],
          ["last at", (event) => h(Moment, { at: event.at })],
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
