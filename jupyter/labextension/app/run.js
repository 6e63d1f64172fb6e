// A run, as its events tell it.

/** A run of which nothing is known but its id. */
export function begun(about) {
  return { ...about, state: "running", stages: {}, failure: null, url: "", waits: "" };
}

const fresh = () => ({ state: "waiting", started: null, seconds: null, phase: "", phases: {},
  cells: {}, failure: null, lines: [] });
const LINES = 500; // of a stage's output that are kept

/** Takes an event into a run. */
export function take(run, event) {
  const stage = event.stage && (run.stages[event.stage] ??= fresh());
  switch (event.event) {
    case "wait":
      run.waits = event.text;
      break;
    case "run":
      Object.assign(run, { url: event.url ?? "", waits: "" });
      for (const name of event.stages) run.stages[name] ??= fresh();
      break;
    case "start":
      Object.assign(stage, { state: "running", started: event.time, seconds: null, phase: "" });
      break;
    case "phase":
      stage.phase = event.phase;
      break;
    case "line":
      stage.lines.push(event.text);
      if (stage.lines.length > LINES) stage.lines.shift();
      break;
    case "end":
      Object.assign(stage, { state: event.succeeded ? "success" : "failed", phase: "",
        seconds: event.seconds, phases: event.phases, cells: event.cells, failure: event.failure });
      break;
    case "over":
      Object.assign(run, { state: event.state, failure: event.failure, waits: "" });
      for (const one of Object.values(run.stages)) {
        if (one.state === "running") one.state = "stopped";
      }
      break;
  }
}

/** The seconds of a stage: so far, while it runs. */
export function took(stage, now = Date.now() / 1000) {
  if (stage.seconds !== null) return stage.seconds;
  return stage.state === "running" ? Math.max(0, now - stage.started) : null;
}
