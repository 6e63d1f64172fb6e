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

// `changed` is called when an alias has moved.
export function Promotion({ model, aliases, moves, versions, changed }) {
  const [alias, name] = useState("champion" in aliases || !moves.length ? "champion" : moves[0].alias);
  const [version, choose] = useState(versions[0].version);
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
  return h(
    Section,
    { title: "Aliases" },
    moves.length > 0 &&
      h(Rows, {
        label: "Aliases of the model",
        keyOf: (found) => found.alias,
        rows: moves,
        columns: [
          ["alias", (found) => h(Aliases, { names: [found.alias] })],
          ["version", (found) => found.version || "none", NUMBER],
          ["since", (found) => h(Moment, { at: found.moved })],
          ["before", (found) => found.before.toReversed().slice(0, 5).join(", ") || "–"],
          ["roll back", (found) => h(RollBack, { found, versions, busy: state.busy, move })],
        ],
      }),
    h(
      Flex,
      {
        as: "form",
        gap: 2,
        wrap: "wrap",
        align: "center",
        marginTop: 2,
        onSubmit: (event) => {
          event.preventDefault();
          move(alias, Number(version));
        },
      },
      "Have",
      h(Choice, {
        label: "Alias",
        value: alias,
        choose: name,
        choices: [...new Set(["champion", ...moves.map((found) => found.alias)])]
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
          disabled: state.busy || aliases[alias] === Number(version),
        },
        "promote",
      ),
    ),
    state.done && h(Text, { role: "status", marginTop: 1 }, state.done),
    state.error && h(Notice, { status: "error", title: "The alias was not moved" }, state.error.message),
  );
}

// To the version that it meant before, if that still is.
function RollBack({ found, versions, busy, move }) {
  const last = found.before.at(-1);
  if (found.alias === OURS || !versions.some((one) => one.version === last)) return null;
  return h(
    Button,
    { size: "xs", variant: "outline", disabled: busy, onClick: () => move(found.alias, last) },
    `back to version ${last}`,
  );
}
