// The tries of a run as a table, and those that failed before all else.

import { Box, Flex, PageLink, Text, h } from "./host.js";
import { airflow } from "./links.js";
import { Notice, Pager, Section } from "./parts.js";
import { ownLength, phaseLength } from "./rows.js";
import { State, StateMark, wordOf } from "./states.js";
import { NAME, NUMBER, PROSE, Rows } from "./table.js";
import { Moment } from "./times.js";
import { count, seconds } from "./words.js";

const PAGE = 50; // rows of the table
const PLAIN = { color: "inherit", textDecoration: "underline" };
const NAMED = 5; // failures that are named at once

// Why tries failed, and where their logs are; those that were made again did the run no harm.
export function Failures({ run, all, linkOf }) {
  const failed = all.filter((row) => row.look === "failed");
  if (!failed.length) return null;
  const { tries } = run;
  return h(
    Notice,
    { status: "error", title: `${count(failed.length, "try", "tries")} failed` },
    failed
      .slice(0, NAMED)
      .map((row) =>
        h(
          Flex,
          { key: row.index, columnGap: 3, wrap: "wrap", align: "baseline" },
          h(
            PageLink,
            { to: linkOf(row.index), style: { ...PLAIN, fontWeight: 600 } },
            row.number === null ? row.name : `${row.name}, try ${row.number}`,
          ),
          h(PageLink, { to: logOf(run, row), style: PLAIN, "aria-label": `log of ${row.name}` }, "log"),
          tries.failure[row.index] &&
            h(Box, { overflowWrap: "anywhere" }, firstLine(tries.failure[row.index])),
        ),
      ),
    failed.length > NAMED && h(Text, null, `… and ${failed.length - NAMED} more, in the table below.`),
  );
}

const firstLine = (text) => text.split("\n")[0];

function logOf(run, { index, number }) {
  const { task_id: tasks, map_index: places } = run.tries;
  return airflow.log(run.dag_id, run.run_id, tasks[index], places[index], number);
}

function noteOf(tries, { index, critical }) {
  const notes = [tries.partial[index]];
  if (tries.adopted_from[index] !== null) notes.push(`adopted from try ${tries.adopted_from[index]}`);
  if (tries.deferred[index]) notes.push("deferred");
  if (critical) notes.push("critical path");
  return notes.filter(Boolean).join("; ");
}

export function Tries({ run, rows, phase, linkOf, links, page, turn }) {
  const { tries } = run;
  const last = Math.max(1, Math.ceil(rows.length / PAGE));
  const here = Math.min(Math.max(Number.parseInt(page, 10) || 1, 1), last);
  const mapped = [...new Set(rows.filter((row) => tries.map_index[row.index] >= 0).map((row) => row.task))];
  return h(
    Section,
    { title: "Tries" },
    mapped.length > 0 &&
      h(
        Flex,
        { gap: 3, wrap: "wrap", fontSize: "sm", marginBottom: 1 },
        "Mapped tasks:",
        mapped.map((task) =>
          h(PageLink, { key: task, to: links.instances(run.dag_id, run.run_id, task) }, task),
        ),
      ),
    h(Rows, {
      label: "Tries of the run",
      keyOf: (row) => row.index,
      rows: rows.slice((here - 1) * PAGE, here * PAGE),
      columns: [
        ["task", (row) => h(PageLink, { to: linkOf(row.index) }, row.name), NAME, (row) => row.name],
        ["try", (row) => row.number ?? "–", NUMBER],
        ["state", (row) => h(State, { state: tries.state[row.index], again: row.again })],
        ["where", ({ index }) => tries.backend[index] || tries.kind[index]],
        ["started", (row) => h(Moment, { at: row.start })],
        ["took", (row) => h(Took, { row }), NUMBER],
        phase
          ? [phase, (row) => seconds(phaseLength(tries, row, phase)), NUMBER]
          : ["own code", (row) => seconds(ownLength(tries, row)), NUMBER],
        [
          "log",
          (row) =>
            row.number !== null &&
            h(
              PageLink,
              { to: logOf(run, row), "aria-label": `log of ${row.name}, try ${row.number}` },
              "log",
            ),
        ],
        ["note", (row) => noteOf(tries, row), PROSE],
      ],
    }),
    h(Pager, { page: here, last, turn }),
  );
}

function Took({ row }) {
  if (!row.running && !row.live) return seconds(row.length);
  return h(
    Flex,
    { as: "span", display: "inline-flex", align: "center", gap: 1 },
    h(StateMark, { state: row.look, title: wordOf(row.look) }),
    row.live ? `${row.live.phase} ${seconds(row.live.length)}` : seconds(row.length),
  );
}
