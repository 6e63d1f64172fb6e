// The page's root: which view is wanted, where it stands, and what is shown where one breaks.

import { Box, Button, React, Text, h, useEffect, useRef, useSearchParams } from "./host.js";
import { links } from "./links.js";
import { Models } from "./models.js";
import { Dag, Overview } from "./overview.js";
import { Notice, Trail } from "./parts.js";
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
  if (task) trail.push([run, to.run(dag, run)]);
  const view = task
    ? h(Task, { dagId: dag, runId: run, taskId: task, mapIndex: index, tryNumber, links: to })
    : run
      ? h(Run, { dagId: dag, runId: run, links: to })
      : h(Dag, { dagId: dag, links: to });
  return h(Box, null, inNavigation && h(Trail, { steps: trail }), view);
}

// A DAG's pages are wider than a phone: bring this one into view, no wider than the window.
function Frame({ children }) {
  const place = useRef(null);
  const narrow = window.innerWidth < 700;
  useEffect(() => {
    if (narrow) place.current?.scrollIntoView({ inline: "start", block: "nearest" });
  }, [narrow]);
  return h(
    Box,
    {
      ref: place,
      padding: { base: 2, md: 4 },
      height: "100%",
      overflowY: "auto",
      background: "bg",
      maxWidth: { base: "calc(100vw - 72px)", md: "none" },
    },
    h(Boundary, null, children),
  );
}

// The host finds a page by its name.
globalThis.Latency = (props) => h(Frame, null, h(View, props));
globalThis.Models = () => h(Frame, null, h(Models));
