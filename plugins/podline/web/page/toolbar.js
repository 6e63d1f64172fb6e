// What is asked of a waterfall and of the table below it: which rows, in what order, how near.

import { Button, Flex, Input, Text, h } from "./host.js";
import { Choice } from "./parts.js";
import { ORDERS, isFailure } from "./rows.js";
import { wordOf } from "./states.js";
import { count } from "./words.js";

const FEW = 6; // rows, up to which nothing is to be looked for

function Press({ on, ...rest }) {
  return h(Button, { size: "xs", variant: on ? "subtle" : "outline", "aria-pressed": on, ...rest });
}

export function Filters({ all, rows, fields, change, orders = ORDERS, one = ["try", "tries"], named = "task" }) {
  if (all.length <= FEW) return null;
  const looks = new Map();
  for (const { look } of all) looks.set(look, (looks.get(look) ?? 0) + 1);
  const states = [...looks].map(([look, n]) => [look, `${wordOf(look, look === "up_for_retry")} (${n})`]);
  return h(
    Flex,
    { gap: 2, wrap: "wrap", align: "center", marginY: 2 },
    h(Choice, {
      label: `Only ${one[1]} in this state`,
      value: fields.state,
      choices: [["", `all states (${all.length})`], ...states],
      choose: (state) => change({ state, page: "1" }),
    }),
    h(Input, {
      "aria-label": `Only ${named}s with this in their name`,
      placeholder: `${named} …`,
      size: "xs",
      width: "9em",
      value: fields.named,
      onChange: (event) => change({ named: event.target.value, page: "1" }),
    }),
    h(Input, {
      "aria-label": "Only what took at least so many seconds",
      placeholder: "from … s",
      size: "xs",
      width: "8em",
      type: "number",
      min: 0,
      step: "any",
      value: fields.longer,
      onChange: (event) => change({ longer: event.target.value, page: "1" }),
    }),
    h(Choice, {
      label: "Order",
      value: fields.sort,
      choices: Object.entries(orders),
      choose: (sort) => change({ sort, page: "1" }),
    }),
    rows.length < all.length &&
      h(Text, { fontSize: "sm", role: "status" }, `${rows.length} of ${count(all.length, ...one)}`),
  );
}

// `middle`: what stays where it is, as a part of the view; `jump`: to the next row that failed.
export function Views({ rows, zoom, of, middle, byClock, setClock, critical, setCritical, jump }) {
  const failed = rows.filter(isFailure).length;
  const onPath = rows.some((row) => row.critical);
  return h(
    Flex,
    { gap: 2, wrap: "wrap", align: "center", marginY: 2 },
    h(
      Press,
      { "aria-label": "Look closer", "aria-pressed": undefined, onClick: () => zoom.closer(middle) },
      "+",
    ),
    h(
      Press,
      {
        "aria-label": "Look wider",
        disabled: !zoom.zoomed,
        "aria-pressed": undefined,
        onClick: () => zoom.wider(middle),
      },
      "−",
    ),
    h(Press, { disabled: !zoom.zoomed, "aria-pressed": undefined, onClick: zoom.reset }, `whole ${of}`),
    h(Press, { on: byClock, onClick: () => setClock(!byClock) }, "clock"),
    onPath && h(Press, { on: critical, onClick: () => setCritical(!critical) }, "critical path"),
    failed > 0 && h(Press, { "aria-pressed": undefined, onClick: jump }, `next failure (${failed})`),
  );
}
