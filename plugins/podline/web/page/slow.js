// What took longer than usual in a run, and since which run it does.

import { Button, Fragment, PageLink, Text, h, useState } from "./host.js";
import { Section } from "./parts.js";
import { NAME, NUMBER, Rows } from "./table.js";
import { Moment } from "./times.js";
import { count, difference, range, seconds } from "./words.js";

const UNDERLINED = { textDecoration: "underline" };
const SHOWN = 5; // phases, at first
const FEW = 3; // runs, below which nothing is usual
const NOTED = 0.1; // of a run's time

export function Slow({ run, links }) {
  if (run.start === null) return null; // there is nothing to compare yet
  const title = "Slower than usual";
  if (!run.compared_with) {
    return h(Section, { title }, h(Text, null, "There are no earlier runs to compare with."));
  }
  if (!run.slow.length) {
    const runs =
      run.compared_with === 1 ? "the earlier run" : `the ${run.compared_with} earlier runs that succeeded`;
    return h(Section, { title }, h(Text, null, `No phase, against ${runs}. `, h(Longer, { run, links })));
  }
  return h(Section, { title }, h(Listed, { title, run, links }));
}

// Where all is slow, the worst says enough.
function Listed({ title, run, links }) {
  const [all, show] = useState(false);
  const rest = run.slow.length - SHOWN;
  return h(
    Fragment,
    null,
    h(Rows, {
      label: title,
      keyOf: (slow) => `${slow.task_id} ${slow.phase}`,
      rows: all ? run.slow : run.slow.slice(0, SHOWN),
      columns: [
        [
          "task",
          (slow) => h(PageLink, { to: links.trend(run.dag_id, slow.task_id, slow.phase) }, slow.task_id),
          NAME,
          (slow) => slow.task_id,
        ],
        ["phase", (slow) => slow.phase],
        ["this run", (slow) => seconds(slow.seconds), NUMBER],
        ["more than before", (slow) => difference(slow.seconds - slow.usual.p50), NUMBER],
        ["before: median [p10 – p90]", (slow) => range(slow.usual), NUMBER],
        ["since", (slow) => h(Since, { run, slow, links })],
      ],
    }),
    rest > 0 &&
      !all &&
      h(Button, { size: "xs", variant: "outline", marginTop: 2, onClick: () => show(true) }, `${rest} more`),
  );
}

// Where no phase alone is slower, all of them may be a little.
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

function Since({ run, slow, links }) {
  if (slow.runs === 1) return "this run";
  return h(
    Fragment,
    null,
    h(PageLink, { to: links.run(run.dag_id, slow.since_run_id) }, h(Moment, { at: slow.since })),
    `, ${count(slow.runs, "run")}`,
  );
}
