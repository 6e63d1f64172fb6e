// Two runs of a DAG side by side: their parameters, what changed, and which tasks and phases it cost.

import { address, part, useAnswer } from "./api.js";
import { Actions } from "./about.js";
import { Box, Flex, Fragment, PageLink, Text, h, useNavigate } from "./host.js";
import { Choice, Notice, Pending, Section, Title } from "./parts.js";
import { State, wordOf } from "./states.js";
import { NAME, NUMBER, Rows, VALUE } from "./table.js";
import { Moment, moment } from "./times.js";
import { difference, instance, literal, seconds, share } from "./words.js";

const RUNS = 100; // that can be chosen
const TOLD = 0.01; // seconds, from which on a difference is told

export function Compare({ dagId, a, b, links }) {
  const { answer: trend, error, retry } = useAnswer(`dags/${part(dagId)}/trend`, { runs: RUNS });
  const navigate = useNavigate();
  const choose = (one, other) => navigate(links.compare(dagId, one, other));
  return h(
    Fragment,
    null,
    h(Title, { name: "Two runs side by side" }),
    h(Actions, { links: [[dagId, links.dag(dagId)]], files: a && b ? files(dagId, a, b) : [] }),
    !trend && h(Pending, { error, retry, what: "the runs" }),
    trend &&
      h(
        Flex,
        { gap: 3, wrap: "wrap", marginY: 3, align: "center" },
        h(RunChoice, { label: "The first run", trend, value: a, choose: (run) => choose(run, b) }),
        "with",
        h(RunChoice, { label: "The second run", trend, value: b, choose: (run) => choose(a, run) }),
      ),
    a && b ? h(Sides, { dagId, a, b, links }) : h(Notice, { title: "Choose two runs" }),
  );
}

function pathOf(dagId) {
  return `dags/${part(dagId)}/compare`;
}

function files(dagId, a, b) {
  return ["csv", "json"].map((format) => [
    format.toUpperCase(),
    address(pathOf(dagId), { run_id: a, with: b, format, download: 1 }),
  ]);
}

function RunChoice({ label, trend, value, choose }) {
  const known = trend.run_id.map((run, place) => [
    run,
    `${moment(trend.start[place])}, ${wordOf(trend.state[place])}, ${seconds(trend.seconds[place])}: ${run}`,
  ]);
  const all = [["", "choose a run …"], ...known.reverse()];
  if (value && !trend.run_id.includes(value)) all.push([value, value]);
  return h(Choice, { label, value, choices: all, choose, size: "sm" });
}

function Sides({ dagId, a, b, links }) {
  const { answer, error, retry } = useAnswer(pathOf(dagId), { run_id: a, with: b });
  if (!answer) return h(Pending, { error, retry, what: "both runs" });
  return h(
    Fragment,
    null,
    h(Runs, { dagId, runs: answer.runs, links }),
    h(Section, { title: "What took longer or shorter" }, h(Tasks, { answer, links })),
    h(Section, { title: "Parameters" }, h(Parameters, { answer })),
  );
}

function Runs({ dagId, runs, links }) {
  const [one, other] = runs;
  const notebook = (run) => run.notebook_sha256?.slice(0, 12) ?? "–";
  const facts = [
    ["run", (run) => h(PageLink, { to: links.run(dagId, run.run_id) }, run.run_id), null],
    ["state", (run) => h(State, { state: run.state }), null],
    ["started", (run) => h(Moment, { at: run.start }), null],
    ["wall time", (run) => seconds(run.seconds), subtract(one.seconds, other.seconds)],
    ["overhead", (run) => share(run.overhead_share), null],
    ["notebook’s version", notebook, null],
  ];
  return h(Rows, {
    label: "The two runs",
    keyOf: ([name]) => name,
    rows: facts,
    columns: [
      ["of the run", ([name]) => name],
      ["first", ([, value]) => value(one), NAME],
      ["second", ([, value]) => value(other), NAME],
      [
        "difference",
        ([name, value, more]) =>
          more !== null
            ? difference(more)
            : name === "notebook’s version" && value(one) !== value(other)
              ? "changed"
              : "",
        NUMBER,
      ],
    ],
  });
}

const subtract = (x, y) => (x === null || y === null ? null : y - x);

// The phase that differs most, and by how much.
function mostChanged(task) {
  const found = Object.entries(task.phases)
    .map(([phase, [x, y]]) => [phase, (y ?? 0) - (x ?? 0)])
    .sort(([, x], [, y]) => Math.abs(y) - Math.abs(x));
  return found.filter(([, more]) => Math.abs(more) >= TOLD).slice(0, 2);
}

function Tasks({ answer, links }) {
  const widest = Math.max(...answer.tasks.map((task) => Math.abs(subtract(...task.seconds) ?? 0)), 0.001);
  return h(Rows, {
    label: "Tasks of both runs",
    keyOf: (task) => `${task.task_id} ${task.map_index}`,
    rows: answer.tasks,
    columns: [
      [
        "task",
        (task) =>
          h(
            PageLink,
            { to: links.trend(answer.dag_id, task.task_id, "") },
            instance(task.task_id, task.map_index),
          ),
        NAME,
        (task) => instance(task.task_id, task.map_index),
      ],
      ["first", (task) => seconds(task.seconds[0]), NUMBER],
      ["second", (task) => seconds(task.seconds[1]), NUMBER],
      ["difference", (task) => difference(subtract(...task.seconds)), NUMBER],
      ["shorter, longer", (task) => h(Difference, { more: subtract(...task.seconds), widest })],
      [
        "above all",
        (task) =>
          mostChanged(task)
            .map(([phase, more]) => `${phase} ${difference(more)}`)
            .join(", ") || "–",
      ],
      ["states", (task) => h(States, { states: task.state })],
    ],
  });
}

// To the right what took longer, to the left what took shorter.
function Difference({ more, widest }) {
  if (more === null) return null;
  const part_ = (Math.abs(more) / widest) * 50;
  return h(
    Box,
    { position: "relative", width: "120px", height: "12px", borderInlineWidth: "1px", "aria-hidden": true },
    h(Box, { position: "absolute", left: "50%", width: "1px", height: "100%", bg: "border.emphasized" }),
    h(Box, {
      position: "absolute",
      height: "100%",
      width: `${part_}%`,
      left: more > 0 ? "50%" : `${50 - part_}%`,
      bg: more > 0 ? "orange.600" : "green.600",
    }),
  );
}

function States({ states: [one, other] }) {
  if (one === other) return one === null ? "–" : h(State, { state: one });
  return h(
    Flex,
    { gap: 1, align: "center" },
    one === null ? "none" : h(State, { state: one }),
    "→",
    other === null ? "none" : h(State, { state: other }),
  );
}

function Parameters({ answer }) {
  if (answer.runs.some((run) => run.conf === null))
    return h(Text, null, "You may not see the parameters of runs.");
  if (!answer.parameters.length) return h(Text, null, "Neither run has any.");
  return h(Rows, {
    label: "Parameters of both runs",
    keyOf: (parameter) => parameter.name,
    rows: answer.parameters,
    columns: [
      ["parameter", (parameter) => parameter.name, NAME],
      ["first", (parameter) => literal(parameter.values[0]), VALUE],
      ["second", (parameter) => literal(parameter.values[1]), VALUE],
      ["changed", (parameter) => (parameter.changed ? "changed" : "")],
    ],
  });
}
