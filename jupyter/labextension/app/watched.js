// One open notebook: what the compiler says of it, kept up to date, and its last run.

import { begun, take } from "./run.js";

const AFTER_FAILURE = [2000, 30000]; // milliseconds until the server is asked again: at first, at most

/** What the compiler is asked about: the cells' texts and tags, without outputs. */
function draftOf(model) {
  const cells = [];
  const ids = [];
  for (const cell of model.cells) {
    ids.push(cell.id);
    cells.push({
      cell_type: cell.type,
      metadata: { tags: cell.getMetadata("tags") ?? [] },
      source: cell.sharedModel.getSource(),
    });
  }
  const metadata = model.sharedModel.getMetadata();
  return { ids, notebook: { nbformat: 4, nbformat_minor: 5, metadata, cells } };
}

export class Watched {
  /**
   * @param panel JupyterLab's panel of the notebook.
   * @param client the server.
   * @param settings where `delay` is, in milliseconds.
   * @param contents JupyterLab's files.
   */
  constructor(panel, client, settings, contents) {
    Object.assign(this, { panel, client, settings, contents });
    this.outline = null; // the compiler's last answer
    this.ids = []; // of the cells that it is about, in order
    this.failure = ""; // why there is no newer answer
    this.run = null;
    this.listeners = new Set();
    this.asked = "";
    this.patience = AFTER_FAILURE[0];
    this.later = () => this.#schedule(this.settings.delay);
    this.ready = this.#begin();
  }

  async #begin() {
    await this.panel.context.ready;
    if (this.panel.isDisposed) return;
    const { ydoc } = this.panel.content.model.sharedModel;
    // Whoever changes whatever, in this page or another, by hand or by undoing: this tells of it.
    ydoc.on("afterTransaction", this.later);
    this.panel.disposed.connect(() => {
      ydoc.off("afterTransaction", this.later);
      clearTimeout(this.timer);
      this.reading?.abort();
    });
    this.panel.context.pathChanged.connect(() => {
      this.asked = "";
      this.later();
    });
    this.#check(); // now: a timer would wait until Lab has drawn the cells
    this.#lastRun();
  }

  /** The notebook as the server names it: without the drive of shared editing. */
  get path() {
    return this.contents.localPath(this.panel.context.path);
  }

  get notebook() {
    return this.panel.content;
  }

  #schedule(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#check(), delay);
  }

  async #check() {
    if (this.checking) {
      this.again = true;
      return;
    }
    if (this.panel.isDisposed) return;
    const { ids, notebook } = draftOf(this.notebook.model);
    const asked = JSON.stringify([ids, notebook]);
    if (asked === this.asked) return;
    this.checking = true;
    try {
      this.outline = await this.client.post("inspect", { path: this.path, notebook });
      Object.assign(this, { ids, asked, failure: "", patience: AFTER_FAILURE[0] });
    } catch (error) {
      this.failure = error.message;
      setTimeout(this.later, this.patience);
      this.patience = Math.min(2 * this.patience, AFTER_FAILURE[1]);
    }
    this.checking = false;
    this.tell();
    if (this.again) {
      this.again = false;
      this.#schedule(0);
    }
  }

  /** Has listeners look again. */
  tell() {
    if (this.panel.isDisposed) return;
    for (const listener of this.listeners) {
      try {
        listener(this);
      } catch (error) {
        console.error("podline:", error); // the notebook goes on
      }
    }
  }

  /** What the compiler says of a cell; null: it does not know it yet. */
  cell(id) {
    const number = this.ids.indexOf(id) + 1;
    return this.outline?.cells.find((cell) => cell.number === number) ?? null;
  }

  stage(name) {
    return this.outline?.stages.find((stage) => stage.name === name) ?? null;
  }

  /** The place of a stage in the notebook, which gives its colour. */
  place(name) {
    const firsts = this.outline.stages.map((stage) => [stage.cells[0] ?? 0, stage.name]);
    return firsts.sort((one, other) => one[0] - other[0]).findIndex((first) => first[1] === name);
  }

  problemsOf(id) {
    const number = this.ids.indexOf(id) + 1;
    return (this.outline?.problems ?? []).filter((problem) => problem.cell === number && number);
  }

  async #lastRun() {
    try {
      const path = encodeURIComponent(this.path);
      const { runs } = await this.client.get(`runs?path=${path}`);
      if (runs.length && !this.run) this.follow(runs[0]);
    } catch (error) {
      this.failure ||= error.message;
      this.tell();
    }
  }

  /** Has the server's disk have the notebook as it is here. */
  async save() {
    if (this.panel.context.model.dirty) await this.panel.context.save();
  }

  /** Starts a run, of the notebook as it is, and follows it. */
  async start(wish) {
    await this.save();
    this.follow(await this.client.post("runs", { path: this.path, ...wish }));
  }

  /** Follows a run from its first event, to its end. */
  async follow(about) {
    this.reading?.abort();
    const reading = (this.reading = new AbortController());
    const run = (this.run = begun(about));
    this.tell();
    try {
      for await (const event of this.client.lines(`runs/${about.id}`, reading.signal)) {
        take(run, event);
        this.#tellSoon();
      }
    } catch (error) {
      if (reading.signal.aborted) return;
      Object.assign(run, { state: "unknown", failure: error.message });
      this.tell();
    }
  }

  /** Many lines at once are one change of the page. */
  #tellSoon() {
    this.soon ??= requestAnimationFrame(() => {
      this.soon = null;
      this.tell();
    });
  }

  // -- changes of the notebook

  tags(cell) {
    const tags = cell.model.getMetadata("tags");
    return Array.isArray(tags) ? tags : [];
  }

  /** Changes tags of cells: one step to undo. `change` gives a cell's new tags. */
  retag(cells, change) {
    const shared = this.notebook.model.sharedModel;
    shared.undoManager.stopCapturing();
    shared.transact(() => {
      for (const cell of cells) {
        const old = this.tags(cell);
        const tags = change(old);
        if (JSON.stringify(tags) === JSON.stringify(old)) continue;
        if (tags.length) cell.model.setMetadata("tags", tags);
        else cell.model.deleteMetadata("tags");
      }
    });
    shared.undoManager.stopCapturing();
  }

  /** Goes to a cell by its number, and to a line in it. */
  async jump(number, line) {
    const id = this.ids[number - 1];
    const index = this.notebook.widgets.findIndex((cell) => cell.model.id === id);
    const cell = this.notebook.widgets[index];
    if (!cell) return;
    this.notebook.deselectAll();
    this.notebook.activeCellIndex = index;
    await this.notebook.scrollToItem?.(index, "smart");
    await cell.ready;
    cell.inputHidden = false;
    if (!line) {
      this.notebook.mode = "command";
      cell.node.focus();
      return;
    }
    this.notebook.mode = "edit";
    cell.editor?.setCursorPosition({ line: line - 1, column: 0 });
    cell.editor?.focus();
  }
}
