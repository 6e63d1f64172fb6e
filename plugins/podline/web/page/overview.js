// All DAGs with records.

import { useFields } from "./address.js";
import { address, part, useAnswer } from "./api.js";
import { Box, Flex, Fragment, Link, PageLink, Text, h } from "./host.js";
import { Bar } from "./looks.js";
import { Notice, Pager, Pending, Search, Section, Title } from "./parts.js";
import { NAME, NUMBER, PROSE, Rows } from "./table.js";
import { Moment, moment } from "./times.js";
import { range, seconds, share } from "./words.js";

const PAGE = 25;

export function Overview({ links }) {
  const [fields, change] = useFields({ search: "", page: "1" });
  const page = Math.max(1, Number.parseInt(fields.page, 10) || 1);
  const query = { search: fields.search, limit: PAGE, offset: (page - 1) * PAGE };
  const { answer, error, retry } = useAnswer("dags", query);
  return h(
    Fragment,
    null,
    h(Title, { name: "Where the time goes" }),
    h(
      Flex,
      { gap: 3, align: "center", wrap: "wrap", marginY: 3 },
      h(Search, {
        label: "Only DAGs with this in their name",
        placeholder: "Only DAGs with …",
        value: fields.search,
        look: (search) => change({ search, page: "1" }),
      }),
      answer?.since &&
        h(Text, { fontSize: "sm", color: "fg.muted" }, `Records since ${moment(answer.since)}.`),
    ),
    !answer && h(Pending, { error, retry, what: "the records" }),
    answer &&
      h(Dags, { answer, links, page, turn: (to) => change({ page: `${to}` }), search: fields.search }),
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
  const last = Math.ceil(answer.total / PAGE);
  return h(
    Fragment,
    null,
    h(Rows, {
      label: "DAGs with records",
      keyOf: (dag) => dag.dag_id,
      rows: answer.dags,
      columns: [
        ["DAG", (dag) => h(PageLink, { to: links.dag(dag.dag_id) }, dag.dag_id), NAME, (dag) => dag.dag_id],
        ["last run", (dag) => h(Moment, { at: dag.last })],
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
    { minWidth: "160px" },
    h(Bar, {
      parts: [
        ["prepare", found.p50],
        ["code", 1 - found.p50],
      ],
      height: 10,
      label: `${share(found.p50)} overhead`,
    }),
    range(found, share),
  );
}

function Slowest({ dag }) {
  const told = dag.slowest.map((slow) => `${slow.task_id} ${slow.phase} ${seconds(slow.p50)}`);
  return told.length ? told.join(", ").replace(/ (?=\S+(,|$))/g, "\u00a0") : "–"; // a unit stays by its number
}
