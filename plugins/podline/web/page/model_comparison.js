// Versions of a model side by side, what differs first.

import { part, useAnswer } from "./api.js";
import { Fragment, h } from "./host.js";
import { Pending, Section } from "./parts.js";
import { NAME, NUMBER, Rows } from "./table.js";
import { moment } from "./times.js";
import { bytes, literal, number } from "./words.js";

const short = (text) => (text ? text.slice(0, 12) : "–");
const GROUPS = [
  ["metrics", "Metrics", (value) => (typeof value === "number" ? number(value) : literal(value)), NUMBER],
  ["parameters", "Parameters", literal, NAME],
  [
    "about",
    "About",
    (value, name) =>
      name === "created" ? moment(value) : name === "notebook" ? short(value) : literal(value),
    NAME,
  ],
  ["data", "Data", short, NAME],
  ["sizes", "Sizes", bytes, NUMBER],
  ["libraries", "Libraries", literal, NAME],
];

export function Comparison({ model, versions }) {
  const { answer, error, retry } = useAnswer(`models/${part(model)}/compare`, { versions });
  if (!answer) return h(Pending, { error, retry, what: "the versions" });
  return h(
    Fragment,
    null,
    GROUPS.filter(([group]) => answer[group].length).map(([group, title, form, kind]) =>
      h(
        Section,
        { key: group, title },
        h(Rows, {
          label: `${title} of the versions`,
          keyOf: (row) => row.name,
          rows: answer[group],
          columns: [
            ["of the version", (row) => row.name, NAME],
            ...answer.versions.map((version, place) => [
              `${version}`,
              (row) => form(row.values[place], row.name),
              kind,
            ]),
            ["changed", (row) => (row.changed ? "changed" : "")],
          ],
        }),
      ),
    ),
  );
}
