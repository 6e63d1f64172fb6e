// A run: what failed, what was slow against the runs before, its waterfall, totals and critical path.

import { AboutRun, Actions } from "./about.js";
import { useFields } from "./address.js";
import { address, part, useAnswer } from "./api.js";
import { Box, Flex, Fragment, Later, PageLink, Text, h, useMemo } from "./host.js";
import { airflow } from "./links.js";
import { isLive, useNow } from "./live.js";
import { Bar, Legend, PHASE_ORDER, isInside, meaningOf, placeOf } from "./looks.js";
import { Figures, Notice, Pending, Section, Title, Trouble } from "./parts.js";
import { AheadLegend } from "./pod_ahead.js";
import { NO_FILTER, arranged, rowsOf } from "./rows.js";
import { Slow } from "./slow.js";
import { State } from "./states.js";
import { NUMBER, Rows } from "./table.js";
import { Filters } from "./toolbar.js";
import { Failures, Tries } from "./tries.js";
import { Waterfall } from "./waterfall.js";
import { instance, number, portion, range, seconds, share } from "./words.js";

export function Run({ dagId, runId, links }) {
  const path = `dags/${part(dagId)}/runs/${part(runId)}`;
  const { answer, error, retry } = useAnswer(path, { limit: 5000 }, isLive);
  if (!answer) return h(Pending, { error, retry, what: "the run" });
  const download = (format) => [format.toUpperCase(), address(path, { format, limit: 5000, download: 1 })];
  return h(
    Fragment,
    null,
    h(
      Title,
      { name: "Where the time of this run went" },
      h(State, { state: answer.state }),
      isLive(answer) && h(Text, { fontSize: "sm", color: "fg.muted", role: "status" }, "live"),
    ),
    h(
      AboutRun,
      { run: answer, links },
      h(Actions, {
        links: [
          ["the run in Airflow", airflow.run(dagId, runId)],
          ["trend over the runs", links.dag(dagId)],
          ["compare with another run", links.compare(dagId, "", runId)],
        ],
        files: [download("csv"), download("json")],
      }),
    ),
    error && h(Trouble, { error, retry }),
    h(Numbers, { run: answer }),
    h(Partial, { run: answer }),
    h(Charts, { run: answer, links }),
  );
}

// The waterfall and what goes by the same filters.
function Charts({ run, links }) {
  const { tries, dag_id: dagId, run_id: runId } = run;
  const [fields, change] = useFields({ ...NO_FILTER, page: "1" });
  const now = useNow(isLive(run));
  const all = useMemo(() => rowsOf(tries, now), [tries, now]);
  const { state, named, phase, longer, sort } = fields;
  const rows = useMemo(
    () => arranged(all, tries, { state, named, phase, longer, sort }),
    [all, tries, state, named, phase, longer, sort],
  );
  const linkOf = (index) =>
    links.task(dagId, runId, tries.task_id[index], tries.map_index[index], tries.try_number[index]);
  const found = new Set([...Object.keys(run.totals), ...tries.phase_now.filter(Boolean)]);
  const phases = PHASE_ORDER.filter((name) => found.has(name));
  return h(
    Fragment,
    null,
    h(Failures, { run, all, linkOf }),
    h(Slow, { run, links }),
    h(
      Section,
      { title: "Stages by phase" },
      h(Legend, { phases, isolated: phase, isolate: (name) => change({ phase: name, page: "1" }) }),
      h(AheadLegend, { rows: all }),
      h(Filters, { all, rows, fields, change }),
      h(Waterfall, { tries, all, rows, phase, linkOf }),
      run.total > tries.task_id.length &&
        h(Notice, null, `The first ${tries.task_id.length} of ${run.total} tries.`),
    ),
    h(
      Later,
      null,
      h(Totals, { run }),
      h(Critical, { run, links }),
      h(Tries, {
        run,
        rows,
        phase,
        linkOf,
        links,
        page: fields.page,
        turn: (page) => change({ page: `${page}` }),
      }),
    ),
  );
}

function Numbers({ run }) {
  const now = useNow(isLive(run));
  const usual = run.usual_seconds && `usually ${range(run.usual_seconds)}`;
  const soFar = run.start === null ? "not yet" : `${seconds(Math.max(now - run.start, 0))} so far`;
  return h(Figures, {
    figures: [
      ["wall time", isLive(run) ? soFar : seconds(run.seconds), usual],
      ["overhead", share(run.overhead_share), "of the tries’ time is not the notebook’s own code"],
      ["tries", number(run.total)],
    ],
  });
}

function Partial({ run }) {
  const reasons = run.tries.partial.filter(Boolean);
  if (!reasons.length) return null;
  return h(
    Notice,
    { status: "warning", title: `${reasons.length} of ${run.total} tries are not known whole` },
    [...new Set(reasons)].slice(0, 3).join("; "),
  );
}

function Totals({ run }) {
  const inside = Object.entries(run.totals).filter(([name]) => isInside(name));
  const whole = inside.reduce((sum, [, length]) => sum + length, 0);
  if (!whole) return null;
  return h(
    Section,
    { title: isLive(run) ? "Totals of what has ended" : "Totals" },
    h(Bar, { parts: inside, label: "Totals by phase; the table has the numbers" }),
    h(Rows, {
      label: "Totals by phase",
      keyOf: ([name]) => name,
      rows: Object.entries(run.totals),
      columns: [
        ["phase", ([name]) => name],
        ["where", ([name]) => placeOf(name)],
        ["took", ([, length]) => seconds(length), NUMBER],
        ["share", ([name, length]) => (isInside(name) ? portion(length / whole) : "–"), NUMBER],
        ["what it is", ([name]) => meaningOf(name)],
      ],
    }),
  );
}

function Critical({ run, links }) {
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
          { as: "li", key: `${step.task_id} ${step.map_index}`, gap: 2, align: "center", maxWidth: "100%" },
          h(Text, { fontSize: "sm", color: "fg.muted", whiteSpace: "nowrap" }, `→ ${seconds(step.waited)} →`),
          h(
            Flex,
            {
              borderWidth: "1px",
              borderRadius: "md",
              paddingX: 2,
              paddingY: 1,
              gap: 2,
              minWidth: 0,
              overflowWrap: "anywhere",
            },
            h(
              PageLink,
              { to: links.task(run.dag_id, run.run_id, step.task_id, step.map_index, step.try_number) },
              instance(step.task_id, step.map_index),
            ),
            h(Box, { whiteSpace: "nowrap" }, seconds(step.seconds)),
          ),
        ),
      ),
    ),
  );
}
