// What the tooltip of a waterfall says of a try.

import { Box, Flex, Text, h } from "./host.js";
import { Filled, PHASE_ORDER, labelOf } from "./looks.js";
import { wordsOf } from "./pod_ahead.js";
import { phaseLength } from "./rows.js";
import { State } from "./states.js";
import { moment } from "./times.js";
import { seconds } from "./words.js";

const LONG = 160; // letters of a failure

function Phase({ name, length, live }) {
  return h(
    Flex,
    { gap: 2, align: "center" },
    h(
      "svg",
      { width: 12, height: 10, "aria-hidden": true, style: { flexShrink: 0 } },
      h(Filled, { phase: name, width: 12, height: 10 }),
    ),
    h(Box, { flex: 1 }, live ? `${labelOf(name)}, now` : labelOf(name)),
    h(Box, { fontVariantNumeric: "tabular-nums" }, seconds(length)),
  );
}

function cut(text) {
  return text.length > LONG ? `${text.slice(0, LONG)} …` : text;
}

export function TrySummary({ tries, row, touched }) {
  const phases = PHASE_ORDER.map((name) => ({ name, length: phaseLength(tries, row, name) })).filter(
    ({ length }) => length !== null,
  );
  const ahead = row.ahead && wordsOf(row.ahead, row.start);
  const notes = [tries.partial[row.index], row.critical && "on the critical path", ahead].filter(Boolean);
  const failure = tries.failure[row.index];
  return h(
    Box,
    { minWidth: "220px" },
    h(
      Flex,
      { gap: 2, align: "center", wrap: "wrap", marginBottom: 1 },
      h(Text, { fontWeight: "bold" }, row.name),
      row.number !== null && h(Text, null, `try ${row.number}`),
      h(State, { state: tries.state[row.index], again: row.again }),
    ),
    row.start === null
      ? h(Text, { color: "fg.muted" }, "It has not started.")
      : h(
          Text,
          { color: "fg.muted" },
          `${moment(row.start)}, ${row.running ? "for" : "took"} ${seconds(row.length)}`,
        ),
    phases.map(({ name, length }) => h(Phase, { key: name, name, length, live: row.live?.phase === name })),
    failure && h(Text, { marginTop: 1, color: "red.fg" }, cut(failure)),
    notes.map((note) => h(Text, { key: note, color: "fg.muted" }, note)),
    touched && h(Text, { marginTop: 1 }, "Press again to open it."),
  );
}
