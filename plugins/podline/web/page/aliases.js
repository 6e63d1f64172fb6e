// What the aliases of a model mean, and how whoever may moves them: on, and back.

import { part, send } from "./api.js";
import { Box, Button, Flex, Text, h, useState } from "./host.js";
import { Choice, Notice, Section } from "./parts.js";
import { NUMBER, Rows } from "./table.js";
import { Moment } from "./times.js";

const OURS = "latest"; // each publisher moves it, and nobody else

export function Aliases({ names }) {
  return h(
    Flex,
    { as: "span", gap: 1, wrap: "wrap" },
    names.map((name) =>
      h(
        Box,
        {
          as: "span",
          key: name,
          paddingX: 1.5,
          borderRadius: "sm",
          fontSize: "sm",
          bg: "blue.subtle",
          color: "blue.fg",
        },
        name,
      ),
    ),
  );
}

// `changed` is called when an alias has moved. What moves them is there for whoever may.
export function Promotion({ found, changed }) {
  const { model, aliases, moves, versions, may_move_aliases: may } = found;
  const [state, tell] = useState({});
  const move = async (which, to) => {
    tell({ busy: true });
    try {
      await send(`models/${part(model)}/aliases/${part(which)}`, {
        version: to,
        expected: aliases[which] ?? null,
      });
      tell({ done: `${which} means version ${to} now.` });
    } catch (error) {
      tell({ error });
    }
    changed();
  };
  const back = ["roll back", (alias) => h(RollBack, { alias, versions, busy: state.busy, move })];
  return h(
    Section,
    { title: "Aliases" },
    moves.length > 0 &&
      h(Rows, {
        label: "Aliases of the model",
        keyOf: (alias) => alias.alias,
        rows: moves,
        columns: [
          ["alias", (alias) => h(Aliases, { names: [alias.alias] })],
          ["version", (alias) => alias.version || "none", NUMBER],
          ["since", (alias) => h(Moment, { at: alias.moved })],
          ["before", (alias) => alias.before.toReversed().slice(0, 5).join(", ") || "–"],
          ...(may ? [back] : []),
        ],
      }),
    may
      ? h(Promote, { found, busy: state.busy, move })
      : !moves.length && h(Text, null, "No alias means a version of it."),
    state.done && h(Text, { role: "status", marginTop: 1 }, state.done),
    state.error && h(Notice, { status: "error", title: "The alias was not moved" }, state.error.message),
  );
}

function Promote({ found: { aliases, moves, versions }, busy, move }) {
  const [alias, name] = useState("champion" in aliases || !moves.length ? "champion" : moves[0].alias);
  const [version, choose] = useState(versions[0].version);
  const submit = (event) => {
    event.preventDefault();
    move(alias, Number(version));
  };
  return h(
    Flex,
    { as: "form", gap: 2, wrap: "wrap", align: "center", marginTop: 2, onSubmit: submit },
    "Have",
    h(Choice, {
      label: "Alias",
      value: alias,
      choose: name,
      choices: [...new Set(["champion", ...moves.map((one) => one.alias)])]
        .filter((one) => one !== OURS)
        .map((one) => [one, one]),
    }),
    "mean version",
    h(Choice, {
      label: "Version",
      value: version,
      choose,
      choices: versions.map((one) => [one.version, one.version]),
    }),
    h(
      Button,
      {
        type: "submit",
        size: "xs",
        variant: "outline",
        disabled: busy || aliases[alias] === Number(version),
      },
      "promote",
    ),
  );
}

// To the version that it meant before, if that still is.
function RollBack({ alias: { alias, before }, versions, busy, move }) {
  const last = before.at(-1);
  if (alias === OURS || !versions.some((one) => one.version === last)) return null;
  return h(
    Button,
    { size: "xs", variant: "outline", disabled: busy, onClick: () => move(alias, last) },
    `back to version ${last}`,
  );
}
