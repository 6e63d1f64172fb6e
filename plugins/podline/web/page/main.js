// The page's root: which view is wanted, where it stands, and what is shown where one breaks.

import { Box, Button, React, Text, h, useEffect, useRef, useSearchParams } from "./host.js";
import { Dag, TaskTrend } from "./dag.js";
import { links } from "./links.js";
import { Textures } from "./looks.js";
import { Models } from "./models.js";
import { Overview } from "./overview.js";
import { Notice, Pending, Trail } from "./parts.js";
import { usePreferences } from "./preferences.js";
import { Run } from "./run.js";
import { Task } from "./task.js";

// The host has none: an error while a plugin draws would replace its whole page.
class Boundary extends React.Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return h(
      Notice,
      { status: "error", title: "The page has a defect" },
      h(Text, null, String(error.message ?? error)),
      h(Button, { size: "sm", marginTop: 2, onClick: () => this.setState({ error: null }) }, "Try again"),
    );
  }
}

function View({ dagId, runId, taskId, mapIndex }) {
  const [query] = useSearchParams();
  const inNavigation = dagId === undefined;
  const to = links(inNavigation);
  const dag = dagId ?? query.get("dag");
  const run = runId ?? query.get("run");
  const task = taskId ?? query.get("task");
  const index = Number(mapIndex ?? query.get("index") ?? -1);
  const tryNumber = query.get("try_number");
  if (dag === null) return h(Overview, { links: to });
  const trail = [["All DAGs", to.all]];
  if (run || task) trail.push([dag, to.dag(dag)]);
  if (run && task) trail.push([run, to.run(dag, run)]);
  const where = { dagId: dag, runId: run, taskId: task, links: to };
  const key = [dag, run, task, index, tryNumber].join(" "); // what is kept of one is not of another
  const view =
    task && run
      ? h(Task, { key, ...where, mapIndex: index, tryNumber })
      : task
        ? h(TaskTrend, { key, ...where })
        : run
          ? h(Run, { key, ...where })
          : h(Dag, { key, ...where, a: query.get("a"), b: query.get("b") });
  return h(Box, null, inNavigation && h(Trail, { steps: trail }), view);
}

const HOVER = "[data-podline] a:hover { text-decoration: underline }";

// A DAG's pages are wider than a phone: bring this one into view, no wider than the window.
function Frame({ children }) {
  usePreferences();
  const place = useRef(null);
  const narrow = window.innerWidth < 700;
  useEffect(() => {
    if (narrow) place.current?.scrollIntoView({ inline: "start", block: "nearest" });
  }, [narrow]);
  return h(
    Box,
    {
      ref: place,
      "data-podline": true,
      padding: { base: 2, md: 4 },
      height: "100%",
      overflowY: "auto",
      background: "bg",
      maxWidth: { base: "calc(100vw - 72px)", md: "none" },
    },
    h("style", null, HOVER),
    h(Textures),
    h(Boundary, null, children()), // made here, so that a change of preferences draws it anew
  );
}

// Its files come where it is opened: they are no part of what the other pages load.
const Edge = React.lazy(async () => ({ default: (await import("./edge.js")).Edge }));

// The host finds a page by its name.
globalThis.Latency = (props) => h(Frame, null, () => h(View, props));
globalThis.Models = () => h(Frame, null, () => h(Models));
globalThis.Edge = () =>
  h(Frame, null, () => h(React.Suspense, { fallback: h(Pending, { what: "the edge" }) }, h(Edge)));
