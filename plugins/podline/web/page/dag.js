// One DAG: the trend of its runs, the runs, and how long each phase of each task takes.

import { Actions, Facts } from "./about.js";
import { address, part, useAnswer } from "./api.js";
import { Compare } from "./compare.js";
import { Fragment, PageLink, Text, h } from "./host.js";
import { airflow } from "./links.js";
import { Pending, Section, Title } from "./parts.js";
import { State } from "./states.js";
import { NAME, NUMBER, Rows } from "./table.js";
import { Moment } from "./times.js";
import { TrendPlot } from "./trend.js";
import { range, seconds, share } from "./words.js";

const RUNS = 50;

// `a`, `b`: two runs, where they are to be compared; one may be empty.
export function Dag({ dagId, a, b, links }) {
  return a === null && b === null
    ? h(History, { dagId, links })
    : h(Compare, { dagId, a: a ?? "", b: b ?? "", links });
}

function History({ dagId, links }) {
  const path = `dags/${part(dagId)}/history`;
  const { answer, error, retry } = useAnswer(path, { runs: RUNS });
  if (!answer) return h(Pending, { error, retry, what: "the DAG’s history" });
  const [other, one] = newestFirst(answer.run_list);
  const last = one && links.compare(dagId, one.run_id, other.run_id);
  const download = (format) => [format.toUpperCase(), address(path, { runs: RUNS, format, download: 1 })];
  return h(
    Fragment,
    null,
    h(Title, { name: dagId }),
    h(Facts, {
      facts: [
        ["runs with records", `the last ${answer.runs}`],
        ["last run", h(Moment, { at: answer.last })],
        ["overhead", range(answer.overhead_share, share)],
      ],
    }),
    h(Actions, {
      links: [
        ["the DAG in Airflow", airflow.dag(dagId)],
        ...(last ? [["compare the last two runs", last]] : []),
      ],
      files: [download("csv"), download("json")],
    }),
    h(Section, { title: "Trend" }, h(TrendPlot, { dagId, tasks: Object.keys(answer.tasks), links })),
    h(Section, { title: "Runs" }, h(Runs, { dagId, answer, links })),
    h(Section, { title: "Phases, over these runs" }, h(Phases, { dagId, answer, links })),
  );
}

const newestFirst = (runs) => runs.toSorted((x, y) => (y.start ?? 0) - (x.start ?? 0));

function Runs({ dagId, answer, links }) {
  const runs = newestFirst(answer.run_list);
  const before = new Map(runs.map((run, place) => [run.run_id, runs[place + 1]?.run_id]));
  return h(Rows, {
    label: "Runs of the DAG",
    keyOf: (run) => run.run_id,
    rows: runs,
    columns: [
      [
        "run",
        (run) => h(PageLink, { to: links.run(dagId, run.run_id) }, run.run_id),
        NAME,
        (run) => run.run_id,
      ],
      ["state", (run) => h(State, { state: run.state })],
      ["started", (run) => h(Moment, { at: run.start })],
      ["took", (run) => seconds(run.seconds), NUMBER],
      ["overhead", (run) => share(run.overhead_share), NUMBER],
      [
        "compare",
        (run) =>
          before.get(run.run_id) &&
          h(
            PageLink,
            {
              to: links.compare(dagId, before.get(run.run_id), run.run_id),
              "aria-label": `compare ${run.run_id} with the one before`,
            },
            "with the one before",
          ),
      ],
    ],
  });
}

function Phases({ dagId, answer, links }) {
  const rows = Object.entries(answer.tasks).flatMap(([task, phases]) =>
    Object.entries(phases).map(([phase, found]) => ({ task, phase, found })),
  );
  if (!rows.length) return h(Text, null, "No try of these runs has succeeded yet.");
  return h(Rows, {
    label: "Phases by task",
    keyOf: ({ task, phase }) => `${task} ${phase}`,
    rows,
    columns: [
      ["task", ({ task }) => task, NAME],
      ["phase", ({ task, phase }) => h(PageLink, { to: links.trend(dagId, task, phase) }, phase)],
      ["median [p10 – p90]", ({ found }) => range(found), NUMBER],
    ],
  });
}

// A task over the runs, where Airflow shows the task without a run.
export function TaskTrend({ dagId, taskId, links }) {
  return h(
    Fragment,
    null,
    h(Title, { name: taskId }),
    h(Actions, { links: [["the DAG’s latency", links.dag(dagId)]] }),
    h(Section, { title: "Trend" }, h(TrendPlot, { dagId, tasks: [], task: taskId, links })),
  );
}
