// All DAGs with records, and one DAG's history.

import { address, part, useAnswer } from "./api.js";
import { Box, Flex, Fragment, Heading, Input, Link, PageLink, Text, h, useEffect, useState } from "./host.js";
import { Bar } from "./looks.js";
import { Figures, Notice, NUMBER, Pager, Pending, PROSE, Rows, Section } from "./parts.js";
import { moment, range, seconds, share } from "./words.js";

const PAGE = 25;

export function Overview({ links }) {
  const [typed, type] = useState("");
  const [search, look] = useState("");
  const [page, turn] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      look(typed);
      turn(0);
    }, 300);
    return () => clearTimeout(timer);
  }, [typed]);
  const { answer, error, retry } = useAnswer("dags", { search, limit: PAGE, offset: page * PAGE });
  return h(
    Fragment,
    null,
    h(Heading, { as: "h1", size: "lg" }, "Where the time goes"),
    h(
      Flex,
      { gap: 3, align: "center", wrap: "wrap", marginY: 3 },
      h(Input, {
        "aria-label": "Only DAGs with this in their name",
        placeholder: "Only DAGs with …",
        value: typed,
        maxWidth: "280px",
        onChange: (event) => type(event.target.value),
      }),
      answer?.since && h(Text, { fontSize: "sm", color: "fg.muted" }, `Records since ${moment(answer.since)}.`),
    ),
    !answer && h(Pending, { error, retry, what: "the records" }),
    answer && h(Dags, { answer, links, page, turn, search }),
    h(Studies),
  );
}

function Report({ dag, study }) {
  const { href } = address(`dags/${part(dag)}/studies/${part(study)}`);
  return h(Link, { href, target: "_blank", rel: "noopener", color: "fg.info" }, study);
}

// What the studies found; nothing where there are none.
function Studies() {
  const { answer } = useAnswer("studies");
  if (!answer?.studies.length) return null;
  return h(
    Section,
    { title: "Studies" },
    h(Rows, {
      label: "Reports of studies",
      rows: answer.studies,
      columns: [
        ["study", ({ dag_id: dag, study }) => h(Report, { dag, study })],
        ["measured by", ({ dag_id: dag }) => dag],
      ],
    }),
  );
}

function Dags({ answer, links, page, turn, search }) {
  if (!answer.total) {
    return search
      ? h(Notice, { title: `No DAG with “${search}” has records that you may see` })
      : h(
          Notice,
          { title: "Nothing is recorded yet" },
          "Each try of each task is recorded when it has ended. Trigger a DAG, and come back.",
        );
  }
  const last = Math.ceil(answer.total / PAGE) - 1;
  return h(
    Fragment,
    null,
    h(Rows, {
      label: "DAGs with records",
      keyOf: (dag) => dag.dag_id,
      rows: answer.dags,
      columns: [
        ["DAG", (dag) => h(PageLink, { to: links.dag(dag.dag_id) }, dag.dag_id)],
        ["last run", (dag) => moment(dag.last)],
        ["runs", (dag) => dag.runs, NUMBER],
        ["wall time: median [p10 – p90]", (dag) => range(dag.seconds), NUMBER],
        ["overhead", (dag) => h(Share, { found: dag.overhead_share }), NUMBER],
        ["slowest overhead, by median", (dag) => h(Slowest, { dag }), PROSE],
      ],
    }),
    h(Pager, { page, last, turn }),
  );
}

function Share({ found }) {
  if (!found) return "–";
  return h(
    Box,
    { width: "160px", marginStart: "auto" },
    h(Bar, {
      parts: [
        ["finish", found.p50],
        ["code", 1 - found.p50],
      ],
      height: 10,
      label: `${share(found.p50)} overhead`,
    }),
    range(found, share),
  );
}

function Slowest({ dag }) {
  return dag.slowest.map((slow) => `${slow.task_id} ${slow.phase} ${seconds(slow.p50)}`).join(", ") || "–";
}

export function Dag({ dagId, links }) {
  const { answer, error, retry } = useAnswer(`dags/${part(dagId)}/history`, { runs: 50 });
  if (!answer) return h(Pending, { error, retry, what: "the DAG’s history" });
  const rows = Object.entries(answer.tasks).flatMap(([task, phases]) =>
    Object.entries(phases).map(([phase, found]) => ({ task, phase, found })),
  );
  return h(
    Fragment,
    null,
    h(Heading, { as: "h1", size: "lg" }, dagId),
    h(Figures, {
      figures: [
        ["runs", answer.runs],
        ["wall time: median [p10 – p90]", range(answer.seconds)],
        ["overhead: median [p10 – p90]", range(answer.overhead_share, share)],
      ],
    }),
    h(
      Section,
      { title: "Runs" },
      h(Rows, {
        label: "Runs of the DAG",
        keyOf: (run) => run.run_id,
        rows: answer.run_list.toSorted((a, b) => (b.start ?? 0) - (a.start ?? 0)),
        columns: [
          ["run", (run) => h(PageLink, { to: links.run(dagId, run.run_id) }, run.run_id)],
          ["started", (run) => moment(run.start)],
          ["took", (run) => seconds(run.seconds), NUMBER],
          ["overhead", (run) => share(run.overhead_share), NUMBER],
          ["", (run) => (run.failed ? "failed" : "")],
        ],
      }),
    ),
    h(
      Section,
      { title: "Phases, over these runs" },
      rows.length
        ? h(Rows, {
            label: "Phases by task",
            rows,
            columns: [
              ["task", ({ task }) => task],
              ["phase", ({ phase }) => phase],
              ["median [p10 – p90]", ({ found }) => range(found), NUMBER],
            ],
          })
        : h(Text, null, "No try of these runs has succeeded yet."),
    ),
  );
}
