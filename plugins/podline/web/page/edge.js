// The pages of the edge: the fleet, the rollouts, and one of them.

import { Flex, Fragment, PageLink, Text, h, useSearchParams } from "./host.js";
import { edge } from "./edge_links.js";
import { Fleet } from "./fleet.js";
import { Rollout } from "./rollout.js";
import { Rollouts } from "./rollouts.js";

export function Edge() {
  const [query] = useSearchParams();
  const [view, model, rollout] = ["view", "model", "rollout"].map((name) => query.get(name));
  if (rollout !== null && model !== null) return h(Rollout, { key: rollout, model, id: rollout });
  const isList = view === "rollouts";
  return h(
    Fragment,
    null,
    h(Tabs, { isList }),
    isList ? h(Rollouts, { key: model, model }) : h(Fleet, { key: "fleet" }),
  );
}

function Tabs({ isList }) {
  const tabs = [
    ["Fleet", edge.fleet(), !isList],
    ["Rollouts", edge.rollouts(), isList],
  ];
  return h(
    Flex,
    { as: "nav", gap: 4, marginBottom: 2, fontSize: "sm", "aria-label": "The edge" },
    tabs.map(([name, to, here]) =>
      here
        ? h(Text, { key: name, fontWeight: "bold", "aria-current": "page" }, name)
        : h(PageLink, { key: name, to }, name),
    ),
  );
}
