// A run: its waterfall, totals, critical path, and what was slow against the runs before.

import { part, useAnswer } from "./api.js";
import { Badge, Box, Flex, Fragment, Heading, PageLink, Text, h, useState } from "./host.js";
import { Bar, Legend, isInside, isOwn, meaningOf, placeOf } from "./looks.js";
import { Figures, Notice, NUMBER, Pager, Pending, PROSE, Rows, Section, Trouble } from "./parts.js";
import { Waterfall } from "./waterfall.js";
import { instance, range, seconds, share } from "./words.js";

const LIVE = ["running", "queued"];
const PAGE = 50; // rows of the table

export function Run({ dagId, runId, links }) {
  const path = `dags/${part(dagId)}/runs/${part(runId)}`;
  const isLive = (run) => LIVE.includes(run.state);
  const { answer, error, retry } = useAnswer(path, { limit: 5000 }, isLive);
  if (!answer) return h(Pending, { error, retry, what: "the run" });
  const linkOf = (index) => {
    const { task_id: task, map_index: map, try_number: number } = answer.tries;
    return links.task(dagId, runId, task[index], map[index], number[index]);
  };
  return h(
    Fragment,
    null,
    h(
      Flex,
      { align: "center", gap: 3, wrap: "wrap" },
      h(Heading, { as: "h1", size: "lg" }, "Where the time of this run went"),
      h(Badge, null, answer.state),
      isLive(answer) && h(Text, { fontSize: "sm", color: "fg.muted", role: "status" }, "live"),
    ),
    error && h(Trouble, { error, retry }),
    h(Numbers, { run: answer }),
    h(Partial, { run: answer }),
    h(
      Section,
      { title: "Stages by phase" },
      h(Legend, { phases: Object.keys(answer.totals) }),
      h(Waterfall, { tries: answer.tries, now: Date.now() / 1000, linkOf }),
      answer.total > answer.tries.task_id.length &&
        h(Notice, null, `The first ${answer.tries.task_id.length} of ${answer.total} tries.`),
    ),
    h(Totals, { run: answer }),
    h(Critical, { run: answer, dagId, links }),
    h(Slow, { run: answer }),
    h(Tries, { run: answer, linkOf }),
  );
}

function Numbers({ run }) {
  return h(Figures, {
    figures: [
      ["wall time", seconds(run.seconds), run.usual_seconds && `usually ${range(run.usual_seconds)}`],
      ["overhead", share(run.overhead_share), "of the tries’ time is not the notebook’s own code"],
      ["tries", run.total],
    ],
  });
}

function Partial({ run }) {
  const count = run.tries.partial.filter(Boolean).length;
  if (!count) return null;
  const reasons = [...new Set(run.tries.partial.filter(Boolean))];
  return h(
    Notice,
    { status: "warning", title: `${count} of ${run.total} tries are not known whole` },
    reasons.slice(0, 3).join("; "),
  );
}

function Totals({ run }) {
  const inside = Object.entries(run.totals).filter(([name]) => isInside(name));
  const whole = inside.reduce((sum, [, length]) => sum + length, 0);
  if (!whole) return null;
  return h(
    Section,
    { title: "Totals" },
    h(Bar, { parts: inside, label: "Totals by phase; the table has the numbers" }),
    h(Rows, {
      label: "Totals by phase",
      keyOf: ([name]) => name,
      rows: Object.entries(run.totals),
      columns: [
        ["phase", ([name]) => name],
        ["where", ([name]) => placeOf(name)],
        ["seconds", ([, length]) => seconds(length), NUMBER],
        ["share", ([name, length]) => (isInside(name) ? share(length / whole) : "–"), NUMBER],
        ["what it is", ([name]) => meaningOf(name), PROSE],
      ],
    }),
  );
}

function Critical({ run, dagId, links }) {
  if (run.critical_path.length < 2) return null;
  return h(
    Section,
    { title: "Critical path" },
    h(
      Flex,
      { as: "ol", wrap: "wrap", gap: 2, listStyleType: "none" },
      run.critical_path.map((step) =>
        h(
          Flex,
          { as: "li", key: `${step.task_id} ${step.map_index}`, gap: 2, align: "center" },
          h(Text, { fontSize: "sm", color: "fg.muted" }, `→ ${seconds(step.waited)} →`),
          h(
            Box,
            { borderWidth: "1px", borderRadius: "md", paddingX: 2, paddingY: 1 },
            h(
              PageLink,
              { to: links.task(dagId, run.run_id, step.task_id, step.map_index, step.try_number) },
              instance(step.task_id, step.map_index),
            ),
            ` ${seconds(step.seconds)}`,
          ),
        ),
      ),
    ),
  );
}

function Slow({ run }) {
  const title = "Slower than usual";
  if (!run.compared_with) {
    return h(Section, { title }, h(Text, null, "There are no earlier runs to compare with."));
  }
  if (!run.slow.length) {
    const runs = run.compared_with === 1 ? "the earlier run" : `${run.compared_with} earlier runs`;
    return h(Section, { title }, h(Text, null, `Nothing, against ${runs}.`));
  }
  return h(
    Section,
    { title },
    h(Rows, {
      label: title,
      rows: run.slow,
      columns: [
        ["task", (slow) => slow.task_id],
        ["phase", (slow) => slow.phase],
        ["this run", (slow) => seconds(slow.seconds), NUMBER],
        ["usually: median [p10 – p90]", (slow) => range(slow.usual), NUMBER],
      ],
    }),
  );
}

function Tries({ run, linkOf }) {
  const [page, turn] = useState(0);
  const { tries } = run;
  const last = Math.max(0, Math.ceil(tries.task_id.length / PAGE) - 1);
  const rows = tries.task_id.map((_, index) => index).slice(page * PAGE, (page + 1) * PAGE);
  const own = (index) =>
    Object.entries(tries.phases)
      .filter(([name]) => isOwn(name))
      .reduce((sum, [, column]) => sum + (column.seconds[index] ?? 0), 0);
  const took = (index) => (tries.end[index] === null ? null : tries.end[index] - tries.start[index]);
  const name = (index) => instance(tries.task_id[index], tries.map_index[index]);
  return h(
    Section,
    { title: "Tries" },
    h(Rows, {
      label: "Tries of the run",
      keyOf: (index) => index,
      rows,
      columns: [
        ["task", (index) => h(PageLink, { to: linkOf(index) }, name(index))],
        ["try", (index) => tries.try_number[index], NUMBER],
        ["state", (index) => tries.state[index] || "not started"],
        ["where", (index) => tries.backend[index] || tries.kind[index]],
        ["took", (index) => seconds(took(index)), NUMBER],
        ["own code", (index) => seconds(own(index)), NUMBER],
        ["note", (index) => noteOf(tries, index), PROSE],
      ],
    }),
    h(Pager, { page, last, turn }),
  );
}

function noteOf(tries, index) {
  const notes = [tries.partial[index]];
  if (tries.adopted_from[index] !== null) notes.push(`adopted from try ${tries.adopted_from[index]}`);
  if (tries.deferred[index]) notes.push("deferred");
  return notes.filter(Boolean).join("; ");
}
