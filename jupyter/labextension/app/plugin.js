// What JupyterLab starts: one thing that watches each open notebook, a panel, and commands.

import { markCells } from "./badges.js";
import { Client } from "./client.js";
import { Panel } from "./panel.js";
import { Watched } from "./watched.js";

const ID = "podline-jupyter:plugin";
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">' +
  '<g class="jp-icon3" fill="#616161"><circle cx="4" cy="4" r="2.5"/><circle cx="12" cy="8" r="2.5"/>' +
  '<circle cx="4" cy="12" r="2.5"/><path d="M5 3.4 11 7.2 11 8.8 5 12.6 4.4 11.4 9.6 8 4.4 4.6z"/></g></svg>';
const DEFAULTS = { badges: true, delay: 100 };

class Podline {
  constructor(app, tracker, jupyter) {
    Object.assign(this, { app, tracker, jupyter });
    this.settings = { ...DEFAULTS };
    this.client = new Client(jupyter.ServerConnection);
    this.watched = new WeakMap(); // by JupyterLab's panel of a notebook
    this.panel = new Panel(this.#actions());
  }

  /** What the user asked for; how it failed is said in the panel. */
  #actions() {
    const told = (does) => async (watched) => {
      if (!watched) return;
      this.panel.say("");
      try {
        await does(watched);
      } catch (error) {
        this.panel.say(error.message, true);
      }
    };
    const values = (watched) => this.panel.parts.parameters.values(watched);
    const inAirflow = (watched, more) =>
      watched.start({ where: "airflow", dag: watched.outline?.notebook, ...more });
    return {
      run: told((watched) => watched.start({ where: "local", parameters: values(watched) })),
      runInAirflow: told(async (watched) => {
        const parameters = values(watched);
        if (await this.#isMeant(watched)) await inAirflow(watched, { parameters });
      }),
      lastInAirflow: told((watched) => inAirflow(watched, { follow: "latest" })),
      deploy: told((watched) => this.#deploy(watched)),
      stop: told((watched) => this.client.remove(`runs/${watched.run.id}`)),
      executed: told(async (watched) => {
        const { path } = await this.client.post(`runs/${watched.run.id}/notebook`);
        await this.app.commands.execute("docmanager:open", { path });
      }),
    };
  }

  /** Whether the version in Airflow is to be run: asked where it is another than the one here. */
  async #isMeant(watched) {
    await watched.save();
    const there = await this.client.get(`deploy?path=${encodeURIComponent(watched.path)}`);
    if (there.message) this.panel.say(`Not compared with the version in Airflow: ${there.message}`);
    if (there.since === null || !there.differs.length) return true;
    const { showDialog, Dialog } = this.jupyter;
    const when = new Date(there.since * 1000).toLocaleString();
    const body =
      `The version in Airflow, put there on ${when}, differs from the one here in: ` +
      `${there.differs.join(", ")} (${there.folder}). This runs the version in Airflow. ` +
      "To run the one here, put it into Airflow first.";
    const buttons = [Dialog.cancelButton(), Dialog.okButton({ label: "Run that version" })];
    const title = "Airflow has another version";
    return (await showDialog({ title, body, buttons, defaultButton: 0 })).button.accept;
  }

  async #deploy(watched) {
    await watched.panel.context.save();
    let found = await this.client.post("deploy", { path: watched.path });
    if (found.differs.length && found.message) {
      const { showDialog, Dialog } = this.jupyter;
      const body = `${found.folder} has other content in: ${found.differs.join(", ")}. Replace it?`;
      const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label: "Replace" })];
      const { button } = await showDialog({ title: "Put into Airflow", body, buttons });
      if (!button.accept) return;
      found = await this.client.post("deploy", { path: watched.path, replace: true });
    }
    if (found.message) throw new Error(found.message);
    const what = found.copied.length ? `${found.copied.join(", ")} copied` : "All is there already";
    this.panel.say(`${what}: ${found.folder}. Airflow reads it as the DAG ${found.dag_id}.`);
  }

  /** The notebook that is in front. */
  get current() {
    return this.watched.get(this.tracker.currentWidget) ?? null;
  }

  watch(notebookPanel) {
    if (this.watched.has(notebookPanel)) return;
    const { contents } = this.app.serviceManager;
    const watched = new Watched(notebookPanel, this.client, this.settings, contents);
    this.watched.set(notebookPanel, watched);
    watched.listeners.add(() => this.draw(watched));
    const { content } = notebookPanel;
    content.activeCellChanged.connect(() => this.#draw(watched));
    content.modelContentChanged.connect(() => this.#drawSoon(watched));
  }

  /** Cells that came or moved have their badges before the compiler's next answer. */
  #drawSoon(watched) {
    watched.drawing ??= requestAnimationFrame(() => {
      watched.drawing = null;
      if (!watched.panel.isDisposed) this.#draw(watched);
    });
  }

  #draw(watched) {
    try {
      this.draw(watched);
    } catch (error) {
      console.error("podline:", error); // the notebook goes on
    }
  }

  draw(watched) {
    markCells(watched, (_, cell) => this.#choose(watched, cell));
    if (watched === this.current) this.panel.show(watched);
  }

  #choose(watched, cell) {
    watched.notebook.activeCellIndex = watched.notebook.widgets.indexOf(cell);
    this.open();
    this.panel.edit();
  }

  open() {
    this.app.shell.activateById(this.widget.id);
  }

  /** Puts the panel beside the notebooks, and watches those. */
  begin() {
    const { Widget, LabIcon } = this.jupyter;
    this.icon = new LabIcon({ name: "podline:mark", svgstr: ICON });
    this.widget = new Widget({ node: this.panel.node });
    this.widget.id = "podline-panel";
    this.widget.title.icon = this.icon;
    this.widget.title.caption = "podline: the notebook as a pipeline";
    this.app.shell.add(this.widget, "right", { rank: 650 });
    this.tracker.widgetAdded.connect((_, notebookPanel) => this.watch(notebookPanel));
    this.tracker.forEach((notebookPanel) => this.watch(notebookPanel));
    this.tracker.currentChanged.connect(() => {
      this.panel.show(this.current);
      this.app.commands.notifyCommandChanged();
    });
    this.panel.show(this.current);
    this.client.get("about").catch((error) => this.panel.say(error.message, true));
  }

  addCommands() {
    const { commands } = this.app;
    const isEnabled = () => this.current !== null;
    const add = (name, label, execute, more = {}) =>
      commands.addCommand(`podline:${name}`, { label, execute, isEnabled, ...more });
    const { actions } = this.panel;
    const toolbar = { icon: this.icon, caption: "Show the notebook's stages and problems" };
    add("show", (args) => (args.toolbar ? "" : "Show podline's Panel"), () => this.open(), toolbar);
    add("edit", "Edit the Cell's Stage", () => {
      this.open();
      this.panel.edit();
    });
    add("next-problem", "Go to the Next Problem", () => this.panel.parts.problems.next());
    add("run", "Run the Notebook's Stages Here", () => this.#shown(actions.run));
    add("run-in-airflow", "Run the Notebook's DAG in Airflow", () => this.#shown(actions.runInAirflow));
    add("deploy", "Put the Notebook into Airflow", () => this.#shown(actions.deploy));
  }

  #shown(action) {
    this.open();
    return action(this.current);
  }

  /** Takes the user's settings, and each change of them. */
  async follow(registry) {
    const found = await registry.load(ID);
    const read = () => {
      Object.assign(this.settings, DEFAULTS, found.composite);
      this.tracker.forEach((notebookPanel) => this.#draw(this.watched.get(notebookPanel)));
    };
    found.changed.connect(read);
    read();
  }
}

function style() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("style.css", import.meta.url).href;
  document.head.append(link);
}

/** The plugin; `jupyter` has what JupyterLab's modules export. */
export function makePlugin(jupyter) {
  return {
    id: ID,
    description: "A notebook as a pipeline: stages, problems, runs.",
    autoStart: true,
    requires: [jupyter.INotebookTracker],
    optional: [jupyter.ISettingRegistry, jupyter.ICommandPalette],
    activate(app, tracker, registry, palette) {
      style();
      const podline = new Podline(app, tracker, jupyter);
      podline.begin();
      podline.addCommands();
      const category = "podline";
      for (const name of ["show", "edit", "next-problem", "run", "run-in-airflow", "deploy"]) {
        palette?.addItem({ command: `podline:${name}`, category });
      }
      if (registry) podline.follow(registry).catch((error) => console.warn("podline:", error));
    },
  };
}
