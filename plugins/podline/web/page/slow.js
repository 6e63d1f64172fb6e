// What took longer than usual in a run, and since which run it does.

import { part, useAnswer } from "./api.js";
import { Fragment, PageLink, Text, h } from "./host.js";
import { Section } from "./parts.js";
import { NAME, NUMBER, Rows } from "./table.js";
import { Moment } from "./times.js";
import { count, difference, range, seconds } from "./words.js";

const RUNS = 50; // that are looked back at
const ASKED = 5; // of the slowest phases
const UNDERLINED = { textDecoration: "underline" };
const FEW = 3; // runs, below which nothing is usual
const NOTED = 0.1; // of a run's time

export function Slow({ run, links }) {
  const title = "Slower than usual";
  if (!run.compared_with) {
    return h(Section, { title }, h(Text, null, "There are no earlier runs to compare with."));
  }
  if (!run.slow.length) {
    const runs =
      run.compared_with === 1 ? "the earlier run" : `the ${run.compared_with} earlier runs that succeeded`;
    return h(Section, { title }, h(Text, null, `No phase, against ${runs}. `, h(Longer, { run, links })));
  }
  return h(
    Section,
    { title },
    h(Rows, {
      label: title,
      rows: run.slow.map((slow, place) => ({ ...slow, place })),
      columns: [
        [
          "task",
          (slow) => h(PageLink, { to: links.trend(run.dag_id, slow.task_id, slow.phase) }, slow.task_id),
          NAME,
          (slow) => slow.task_id,
        ],
        ["phase", (slow) => slow.phase],
        ["this run", (slow) => seconds(slow.seconds), NUMBER],
        ["more than usual", (slow) => difference(slow.seconds - slow.usual.p50), NUMBER],
        ["usually: median [p10 – p90]", (slow) => range(slow.usual), NUMBER],
        ["since", (slow) => (slow.place < ASKED ? h(Since, { run, slow, links }) : "")],
      ],
    }),
  );
}

// Where some of the runs before were slow, too, no phase is beyond them; the median knows it still.
function Longer({ run, links }) {
  const { usual_seconds: usual } = run;
  const more = run.end === null || !usual || usual.n < FEW ? 0 : run.seconds - usual.p50;
  if (more < run.seconds * NOTED || more <= 0) return null;
  return h(
    Fragment,
    null,
    `But it took ${seconds(more)} longer than their median: `,
    h(PageLink, { to: links.trend(run.dag_id, "", "phases"), style: UNDERLINED }, "since when"),
    ".",
  );
}

// The first of the runs up to this one that all took nearer to what this one took than to the usual.
function begunAt(trend, runId, phase, usual, length) {
  const here = trend.run_id.indexOf(runId);
  const lengths = trend.phases[phase] ?? [];
  const halfway = (usual + length) / 2;
  let first = here;
  for (let place = here - 1; place >= 0; place -= 1) {
    if (trend.state[place] !== "success" || lengths[place] === null) continue; // it says nothing
    if (lengths[place] < halfway) break;
    first = place;
  }
  return first < 0 ? null : { place: first, runs: here - first + 1 };
}

function Since({ run, slow, links }) {
  const path = `dags/${part(run.dag_id)}/trend`;
  const { answer } = useAnswer(path, { runs: RUNS, task_id: slow.task_id });
  if (!answer) return "…";
  const found = begunAt(answer, run.run_id, slow.phase, slow.usual.p50, slow.seconds);
  if (!found) return "–";
  if (found.runs === 1) return "this run";
  return h(
    Fragment,
    null,
    h(
      PageLink,
      { to: links.run(run.dag_id, answer.run_id[found.place]) },
      h(Moment, { at: answer.start[found.place] }),
    ),
    `, ${count(found.runs, "run")}`,
  );
}
