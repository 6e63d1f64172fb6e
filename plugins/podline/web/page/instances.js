// The instances of a mapped task in a run: Airflow's summary of them has no tab for plugins.

import { AboutRun, Actions } from "./about.js";
import { useFields } from "./address.js";
import { part, useAnswer } from "./api.js";
import { Fragment, Text, h } from "./host.js";
import { airflow } from "./links.js";
import { isLive, useNow } from "./live.js";
import { Legend, PHASE_ORDER } from "./looks.js";
import { Figures, Pending, Section, Title, Trouble } from "./parts.js";
import { NO_FILTER, arranged, phaseLength, rowsOf } from "./rows.js";
import { Filters } from "./toolbar.js";
import { Tries } from "./tries.js";
import { Waterfall } from "./waterfall.js";
import { count, seconds } from "./words.js";

function middle(lengths) {
  const sorted = lengths.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

// `error`: what was said when the task was looked for without an index.
export function Instances({ dagId, runId, taskId, links, error }) {
  const asked = useAnswer(`dags/${part(dagId)}/runs/${part(runId)}`, { limit: 5000 }, isLive);
  const now = useNow(Boolean(asked.answer) && isLive(asked.answer));
  const [fields, change] = useFields({ ...NO_FILTER, page: "1" });
  if (!asked.answer) return h(Pending, { ...asked, what: "the task’s instances" });
  const { tries } = asked.answer;
  const all = rowsOf(tries, now).filter((row) => row.task === taskId);
  if (!all.length) return h(Trouble, { error });
  const phases = PHASE_ORDER.filter((name) => all.some((row) => phaseLength(tries, row, name) !== null));
  const rows = arranged(all, tries, fields);
  const ended = all.filter((row) => row.length !== null && !row.running).map((row) => row.length);
  const linkOf = (index) => links.task(dagId, runId, taskId, tries.map_index[index], tries.try_number[index]);
  return h(
    Fragment,
    null,
    h(Title, { name: taskId }, h(Text, { fontSize: "sm" }, `${count(all.length, "try", "tries")} of its instances`)),
    h(
      AboutRun,
      { run: asked.answer, links },
      h(Actions, {
        links: [
          ["its instances in Airflow", airflow.summary(dagId, runId, taskId)],
          ["the whole run", links.run(dagId, runId)],
          ["trend of this task", links.trend(dagId, taskId, "")],
        ],
      }),
    ),
    ended.length > 0 &&
      h(Figures, {
        figures: [
          ["shortest", seconds(Math.min(...ended))],
          ["median", seconds(middle(ended))],
          ["longest", seconds(Math.max(...ended))],
        ],
      }),
    h(
      Section,
      { title: "Instances by phase" },
      h(Legend, { phases, isolated: fields.phase, isolate: (phase) => change({ phase, page: "1" }) }),
      h(Filters, { all, rows, fields, change }),
      h(Waterfall, { tries, all, rows, phase: fields.phase, linkOf }),
    ),
    h(Tries, {
      run: asked.answer,
      rows,
      phase: fields.phase,
      linkOf,
      links,
      page: fields.page,
      turn: (page) => change({ page: `${page}` }),
    }),
  );
}
