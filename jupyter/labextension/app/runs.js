// The last run of a notebook: live, and afterwards with where its time went.

import { inWords, legend, phaseBar } from "./bars.js";
import { element, seconds } from "./dom.js";
import { took } from "./run.js";

const EVERY = 200; // milliseconds between two looks at the clock
const STATES = { running: "runs", success: "succeeded", failed: "failed", waiting: "waits",
  stopped: "was stopped", unknown: "is not known" };

export class RunView {
  /** `actions`: `stop` and `executed`, which take what is watched. */
  constructor(actions) {
    this.actions = actions;
    this.state = element("p", { class: "podline-state", role: "status" });
    this.table = element("table", { class: "podline-run" });
    this.after = element("div", { class: "podline-after" });
    this.output = element("pre", { class: "podline-output", tabindex: "0", "aria-label": "Output" });
    this.legend = legend();
    this.node = element("div", {}, this.state, this.table, this.legend, this.after, this.output);
    this.rows = new Map();
    this.run = undefined;
    this.key = "";
  }

  update(watched) {
    const { run } = watched;
    this.watched = watched;
    if (run !== this.run) {
      this.run = run;
      this.rows.clear();
      this.key = "";
      this.table.replaceChildren();
    }
    clearInterval(this.clock);
    this.table.hidden = this.legend.hidden = this.output.hidden = !run;
    this.#say();
    if (!run) {
      this.after.replaceChildren();
      return;
    }
    for (const [name] of this.#stages()) this.#row(name);
    this.#tick();
    this.#print();
    this.#afterwards();
    if (run.state === "running") this.clock = setInterval(() => this.#tick(), EVERY);
  }

  /** The stages in the notebook's order: Airflow names those that wait by the alphabet. */
  #stages() {
    const order = (this.watched.outline?.stages ?? []).map((stage) => stage.name);
    const place = ([name]) => (order.includes(name) ? order.indexOf(name) : order.length);
    return Object.entries(this.run.stages).sort((one, other) => place(one) - place(other));
  }

  #say() {
    const { run } = this;
    const when = run && new Date(run.began * 1000).toLocaleTimeString();
    const where = run?.where === "airflow" ? "in Airflow" : "here";
    const said = run ? `The run of ${when} ${where} ${STATES[run.state]}.` : "No run yet.";
    const text = [said, run?.failure || run?.waits].filter(Boolean).join(" ");
    if (this.state.textContent === text) return; // a reader would say it again
    this.state.textContent = text;
    this.state.classList.toggle("podline-problem-text", Boolean(run?.failure));
  }

  /** Makes the row of a stage, once. */
  #row(name) {
    if (this.rows.has(name)) return;
    const go = () => this.watched.jump(this.watched.stage(name)?.cells[0]);
    const button = element("button", { type: "button", class: "podline-link", onclick: go }, name);
    const row = { time: element("td", { class: "podline-time" }), bar: element("td"), shown: "" };
    this.table.append(
      element("tr", {}, element("th", { scope: "row" }, button), row.time, row.bar),
    );
    this.rows.set(name, row);
  }

  /** Brings seconds and bars up to date; a bar is as long as its part of the longest stage. */
  #tick() {
    const stages = this.#stages();
    const longest = Math.max(0.01, ...stages.map(([, stage]) => took(stage) ?? 0));
    for (const [name, stage] of stages) {
      const row = this.rows.get(name);
      if (!row) continue;
      const time = took(stage);
      const text = time === null ? STATES[stage.state] : seconds(time);
      if (row.time.textContent !== text) row.time.textContent = text;
      if (stage.state === "running" && row.bar.textContent !== stage.phase) {
        row.bar.textContent = stage.phase; // where its bar will be
      }
      const key = JSON.stringify([stage.state, stage.phases, longest]);
      if (key === row.shown || stage.state === "running") continue;
      row.shown = key;
      row.bar.replaceChildren(...(time === null ? [] : [phaseBar(stage.phases, longest)]));
      row.bar.parentNode.dataset.state = stage.state;
      row.bar.parentNode.title = inWords(stage.phases);
    }
  }

  #print() {
    const lines = this.#stages().flatMap(([name, stage]) =>
      stage.lines.map((line) => `${name} │ ${line}`),
    );
    const traces = this.#stages().map(([, stage]) => stage.failure?.traceback ?? "");
    const text = [...lines, ...traces.filter(Boolean)].join("\n");
    if (this.output.textContent === text) return;
    const end = this.output.scrollTop + this.output.clientHeight >= this.output.scrollHeight - 4;
    this.output.textContent = text;
    this.output.hidden = !text;
    if (end) this.output.scrollTop = this.output.scrollHeight;
  }

  #afterwards() {
    const { run, watched, actions } = this;
    const failed = Object.values(run.stages).find((stage) => stage.failure?.cell);
    const key = JSON.stringify([run.id, run.state, run.url, failed?.failure.cell]);
    if (key === this.key) return;
    this.key = key;
    const button = (text, does) => element("button", { type: "button", onclick: does }, text);
    const number = failed?.failure.cell;
    const stop = run.where === "airflow" ? "Stop following" : "Stop";
    this.after.replaceChildren(
      ...[
        run.state === "running" ? button(stop, () => actions.stop(watched)) : null,
        run.state !== "running"
          ? button("Open the executed notebook", () => actions.executed(watched))
          : null,
        number ? button(`Go to cell ${number}, which failed`, () => watched.jump(number)) : null,
        run.url ? this.#link() : null,
      ].filter(Boolean),
    );
  }

  #link() {
    const about = { href: this.run.url, target: "_blank", rel: "noopener noreferrer" };
    return element("a", about, "Open it in Airflow");
  }
}
