// What a page is of: its run, when that was, with which parameters, and where Airflow shows it.

import { Box, Flex, Fragment, PageLink, Text, h } from "./host.js";
import { airflow } from "./links.js";
import { Downloads } from "./parts.js";
import { Moment } from "./times.js";
import { literal } from "./words.js";

const FEW = 8; // parameters that are shown at once

export function Facts({ facts }) {
  return h(
    Flex,
    { as: "dl", wrap: "wrap", columnGap: 4, rowGap: 0.5, fontSize: "sm", marginTop: 1 },
    facts
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) =>
        h(
          Flex,
          { key: name, gap: 1, minWidth: 0, overflowWrap: "anywhere" },
          h(Text, { as: "dt", color: "fg.muted" }, name),
          h(Box, { as: "dd", minWidth: 0 }, value),
        ),
      ),
  );
}

function Parameters({ conf }) {
  const given = Object.entries(conf ?? {});
  if (!given.length) return null;
  const list = h(Facts, { facts: given.map(([name, value]) => [`${name} =`, literal(value)]) });
  if (given.length <= FEW) return h(Box, { as: "section", "aria-label": "Parameters of the run" }, list);
  return h("details", null, h("summary", null, `${given.length} parameters`), list);
}

// Links and downloads, on one line.
export function Actions({ links, files = [] }) {
  return h(
    Flex,
    { wrap: "wrap", columnGap: 4, rowGap: 1, align: "center", fontSize: "sm", marginTop: 1 },
    links.map(([name, to]) => h(PageLink, { key: name, to }, name)),
    h(Downloads, { files }),
  );
}

// Of a run, as its answer says it.
export function AboutRun({ run, links, children }) {
  return h(
    Fragment,
    null,
    h(Facts, {
      facts: [
        ["DAG", h(PageLink, { to: links.dag(run.dag_id) }, run.dag_id)],
        ["run", h(PageLink, { to: airflow.run(run.dag_id, run.run_id) }, run.run_id)],
        ["started", h(Moment, { at: run.start })],
        ["ended", run.end === null ? null : h(Moment, { at: run.end })],
        ["type", run.run_type],
      ],
    }),
    h(Parameters, { conf: run.conf }),
    children,
  );
}
