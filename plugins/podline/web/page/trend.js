// How long a DAG's runs take, one after the other, or one of its tasks in each.

import { useFields } from "./address.js";
import { address, part, useAnswer } from "./api.js";
import { Box, Flex, Fragment, Text, h } from "./host.js";
import { Legend, PHASE_ORDER, isInside } from "./looks.js";
import { Choice, Downloads, Figures, Notice, Pending } from "./parts.js";
import { Plot } from "./plot.js";
import { wordOf } from "./states.js";
import { moment } from "./times.js";
import { seconds, share } from "./words.js";

const RUNS = 50;
const WALL = "";
const SHARE = "overhead";
const STACK = "phases";
const SHOWN = { [WALL]: "wall time", [SHARE]: "overhead’s share", [STACK]: "phases, stacked" };

// What one run's column is made of: [phase, value], or one value without a phase.
function partsOf(trend, place, show, phases) {
  if (show === WALL) return [[null, trend.seconds[place]]];
  if (show === SHARE) return [[null, trend.overhead_share[place]]];
  const shown = show === STACK ? phases : [show];
  return shown.map((name) => [name, trend.phases[name]?.[place] ?? null]);
}

function columnsOf(trend, show, phases, form, links) {
  return trend.run_id.map((run, place) => {
    const parts = partsOf(trend, place, show, phases).filter(([, value]) => value !== null);
    const state = trend.state[place];
    const ok = state === "success";
    const told =
      parts.map(([phase, value]) => `${phase ? `${phase} ` : ""}${form(value)}`).join(", ") || "not known";
    return {
      key: run,
      at: trend.start[place],
      state,
      ok,
      parts,
      to: links.run(trend.dag_id, run),
      title: `${run}, ${moment(trend.start[place])}`,
      told: `${wordOf(state)}, ${told}`,
    };
  });
}

function usualOf(trend, show) {
  if (show === WALL) return trend.usual.seconds;
  return trend.usual.phases[show] ?? null;
}

// `tasks`: whose trend can be asked for; `task`: the only one, where the page is of one.
export function TrendPlot({ dagId, tasks, task = null, links }) {
  const [fields, change] = useFields({ of: "", show: "" });
  const of = task ?? fields.of;
  const path = `dags/${part(dagId)}/trend`;
  const query = { runs: RUNS, task_id: of };
  const { answer, error, retry } = useAnswer(path, query, (found) => found.state.at(-1) === "running");
  if (!answer) return h(Pending, { error, retry, what: "the runs" });
  if (!answer.run_id.length) return h(Notice, { title: "It has not run yet" });
  const phases = PHASE_ORDER.filter((name) => name in answer.phases && isInside(name));
  const known = fields.show in SHOWN || fields.show in answer.phases;
  const show = known ? fields.show : WALL;
  const form = show === SHARE ? share : seconds;
  const download = (format) => [format.toUpperCase(), address(path, { ...query, format, download: 1 })];
  const usual = usualOf(answer, show);
  const meant =
    usual &&
    "Dashed: the median of the runs that succeeded; grey: from their 10th to their 90th percentile. ";
  return h(
    Fragment,
    null,
    h(Next, { found: answer.next, of }),
    h(
      Flex,
      { gap: 2, wrap: "wrap", align: "center", marginY: 2 },
      task === null &&
        h(Choice, {
          size: "sm",
          label: "Of which task",
          value: of,
          choose: (name) => change({ of: name }),
          choices: [["", "the whole run"], ...tasks.map((name) => [name, name])],
        }),
      h(Choice, {
        size: "sm",
        label: "What is plotted",
        value: show,
        choose: (name) => change({ show: name }),
        choices: [...Object.entries(SHOWN), ...phases.map((name) => [name, name])],
      }),
      h(Downloads, { files: [download("csv"), download("json")] }),
    ),
    h(Plot, {
      label: `${SHOWN[show] ?? show} of the last ${answer.run_id.length} runs`,
      form,
      usual,
      columns: columnsOf(answer, show, phases, form, links),
    }),
    h(
      Text,
      { fontSize: "xs", color: "fg.muted", marginTop: 1 },
      meant,
      "Failed runs and those that go on are marked and not counted, and cut where they are far higher. " +
        "Press a column for its run.",
    ),
    h(Legend, { phases, isolated: show === STACK ? "" : show, isolate: (name) => change({ show: name || STACK }) }),
  );
}

// What the next run will take, as far as those say that were made since the last change.
function Next({ found, of }) {
  const name = of ? `the next ${of} will take about` : "the next run will take about";
  if (!found) return h(Box, null, "None of these runs has succeeded: nothing is said of the next one.");
  const note = found.n < 3 ? null : `four of five between ${seconds(found.p10)} and ${seconds(found.p90)}`;
  return h(Figures, { figures: [[name, seconds(found.p50), note ?? `n = ${found.n}`]] });
}
