// The page put together: which view is shown, what the bar's buttons do, and the keys.
import * as api from "./api.js";
import { $, dialog, element, fitted, icon, menu, toast } from "./dom.js";
import { Camera } from "./camera.js";
import { Editor } from "./editor.js";
import { Files } from "./files.js";
import { Gallery } from "./gallery.js";
import { listen } from "./gestures.js";
import { keep, kept } from "./history.js";
import { HELP } from "./help.js";
import { empty, fromFile, toFile, viewOf } from "./level.js";
import { Play } from "./play.js";
import { sharedText } from "./sharing.js";
import { Watch } from "./watch.js";

const STARTER = "car_up_the_ramp", STARTER_OF_S = "cue_ball"; // the latter is what an agent of size S can be put on
const SNAPS = [[0, "Off"], [0.05, "5 cm"], [0.1, "10 cm"], [0.25, "25 cm"]];

class Studio {
  constructor(about) {
    this.about = about;
    this.camera = new Camera();
    this.canvas = $("canvas");
    this.view = "edit";
    this.dirty = true;
    this.fromGallery = null;
    this.#readTheme();
    if (about.run) this.watch = new Watch(this);
    this.editor = new Editor(this);
    this.play = new Play(this);
    this.gallery = new Gallery(this);
    this.files = new Files(this);
    this.#bar();
    this.#viewButtons();
    this.#listen();
    this.#loop();
  }

  get agentCard() { return this.watch?.box || null; }
  file() { return toFile(this.editor.draft); }
  redraw() { this.dirty = true; }
  changed() { this.watch?.changed(); }
  checked() { this.watch?.checked(); }
  keep() { if (this.started) keep(this.editor, this.file()); }

  // -- light and dark -------------------------------------------------------------------------------------------

  #readTheme() {
    let chosen = null;
    try { chosen = localStorage.getItem("minicosm.theme"); } catch { /* private window */ }
    const system = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      this.dark = chosen ? chosen === "dark" : system.matches;
      document.documentElement.dataset.theme = this.dark ? "dark" : "light";
      this.redraw();
    };
    system.addEventListener("change", apply);
    this.setDark = (dark) => {
      chosen = dark ? "dark" : "light";
      try { localStorage.setItem("minicosm.theme", chosen); } catch { /* private window */ }
      apply();
      this.editor?.inspector.show();
    };
    apply();
  }

  isDark() { return this.dark; }
  theme() { return this.about.themes[this.dark ? "dark" : "light"]; }

  // -- views ----------------------------------------------------------------------------------------------------

  async show(view) {
    const before = this.view;
    if (before === "play" && view !== "play") this.play.close();
    if (before === "gallery" && view !== "gallery") this.gallery.close();
    this.view = view;
    document.body.dataset.view = view;
    const isPlaying = view === "play" || view === "watch";
    $("toggle-play").replaceChildren(isPlaying ? icon('<path d="m5 19 1-4L16 5l3 3L9 18z"/>') : icon('<path d="M8 5v14l11-7z"/>', true),
      element("span", { text: isPlaying ? "Edit" : this.watch ? "Watch large" : "Play" }), element("kbd", { text: "Space" }));
    if (view === "gallery") await this.gallery.open();
    else {
      this.fit();
      if (view === "play") this.play.open();
      this.canvas.focus({ preventScroll: true });
    }
    this.redraw();
  }

  leave() { this.show("edit"); }

  async togglePlay() {
    if (this.view === "play" || this.view === "watch") return this.leave();
    if (this.view !== "edit") return undefined;
    if (this.watch) return this.show("watch");
    await this.editor.checker.now();
    if (this.editor.problems.length) {
      const { problems } = this.editor, blocking = this.editor.size === null;
      if (blocking) return toast(problems[0].text, true);
      toast(`Playing all the same: ${problems[0].text}`);
    }
    return this.show("play");
  }

  /** A level of the gallery was chosen. */
  async pick(name) {
    try {
      const { level } = await api.libraryLevel(name);
      this.fromGallery = name;
      this.open(level, null, true);
      if (this.watch) this.show("edit");
      else this.show(this.about.mode === "play" || this.view === "gallery" ? "play" : "edit");
    } catch (error) {
      toast(error.message, true);
    }
  }

  /** What comes after a level of the gallery that was won; null where nothing does. */
  next() {
    const name = this.fromGallery && this.gallery.after(this.fromGallery);
    return name ? () => this.pick(name).then(() => this.show("play")) : null;
  }

  open(file, savedAs = null, isOfGallery = false) {
    if (!isOfGallery) this.fromGallery = null;
    this.editor.open(fromFile(file), savedAs);
    if (this.view === "gallery" && !isOfGallery) this.show("edit");
    if (this.view === "play" && !isOfGallery) this.leave();
    this.fit();
  }

  blank() {
    this.open(toFile({ ...empty() }));
    this.show("edit");
    this.editor.setTool("circle");
    this.editor.hint("An empty room. Press and drag to draw a circle: the first shape is green");
  }

  fit() {
    const box = this.canvas.getBoundingClientRect(), isNarrow = innerWidth <= 760;
    this.camera.resize(box.width, box.height);
    const wide = { play: { left: 20, right: 20, top: 60, bottom: 128 }, watch: { left: 20, right: 292, top: 20, bottom: 20 }, edit: { left: 84, right: 292, top: 16, bottom: 72 } };
    const narrow = { play: { left: 4, right: 4, top: 52, bottom: 130 }, watch: { left: 4, right: 4, top: 4, bottom: 4 }, edit: { left: 4, right: 4, top: 52, bottom: 64 } };
    this.camera.inset = (isNarrow ? narrow : wide)[this.view] || wide.edit;
    this.camera.fit(viewOf(this.editor.draft));
    this.redraw();
  }

  // -- the bar --------------------------------------------------------------------------------------------------

  #bar() {
    const { editor } = this;
    $("undo").onclick = () => editor.undo();
    $("redo").onclick = () => editor.redo();
    $("toggle-play").onclick = () => this.togglePlay();
    $("to-gallery").onclick = $("gallery-button").onclick = () => this.show(this.view === "gallery" ? "edit" : "gallery");
    $("theme").onclick = () => this.setDark(!this.dark);
    $("help").onclick = () => this.help();
    $("file-menu").onclick = () => menu($("file-menu"), this.files.menuItems());
    $("random").onclick = () => menu($("random"), this.#randomItems());
    $("mutate").onclick = () => this.#busy($("mutate"), async () => {
      const { level } = await api.mutated(this.file());
      editor.replace(fromFile(level));
      editor.hint("Mutated: Ctrl+Z takes it back");
    });
    $("level-name").addEventListener("input", () => editor.change({ ...editor.draft, name: $("level-name").value }, "name"));
    $("level-name").addEventListener("blur", () => editor.seal());
    $("level-name").addEventListener("keydown", (event) => { if (["Enter", "Escape"].includes(event.key)) this.canvas.focus(); event.stopPropagation(); });
  }

  #randomItems() {
    const of = ([kind, sizes]) => ["s", "m", "l"].map((size) => ({ text: size.toUpperCase(), run: () => this.random(size, kind), isOff: !sizes.includes(size) && "It needs a larger size" }));
    const title = (kind) => (kind === "random" ? "Contraption" : kind[0].toUpperCase() + kind.slice(1));
    return [{ heading: "A random level of size" }, ...Object.entries(this.about.kinds).map((entry) => ({ label: title(entry[0]), row: of(entry) }))];
  }

  random(size, kind) {
    return this.#busy($("random"), async () => {
      const { level } = await api.randomLevel(size, kind);
      this.fromGallery = null;
      if (this.view !== "edit") await this.show("edit");
      this.editor.open(fromFile(level));
      this.fit();
    });
  }

  async #busy(button, work) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      toast(error.message, true);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  #viewButtons() {
    const { editor } = this, make = (id, title, inside, run, pressed) => {
      const made = element("button", { class: "icon", id, title, "aria-label": title, "aria-pressed": pressed === undefined ? null : String(pressed), on: { click: () => { const on = run(); if (on !== undefined) made.setAttribute("aria-pressed", String(on)); } } }, icon(inside));
      return made;
    };
    const snap = make("snap", "Grid and snapping", '<path d="M4 9h16M4 15h16M9 4v16M15 4v16"/>', () => menu(snap, SNAPS.map(([value, text]) => ({ text: value === editor.snap ? `● ${text}` : text, run: () => { editor.snap = value; snap.setAttribute("aria-pressed", String(value > 0)); this.redraw(); } }))), true);
    $("view-buttons").replaceChildren(
      make("together", "Move what is joined together (Alt while dragging: the other way)", '<circle cx="7" cy="12" r="3"/><circle cx="17" cy="12" r="3"/><path d="M10 12h4"/>', () => { editor.together = !editor.together; return editor.together; }, true),
      snap, make("fit", "Show all (0)", '<path d="M4 9V5h4M20 9V5h-4M4 15v4h4M20 15v4h-4"/>', () => { this.fit(); }));
  }

  help() { dialog((close) => HELP(close), "wide"); }

  // -- input ----------------------------------------------------------------------------------------------------

  #listen() {
    const { editor } = this, edit = editor.pointers(), is = (view) => this.view === view;
    const on = Object.fromEntries(["press", "drag", "release", "cancel", "hover", "doublePress"].map((name) => [name, (...args) => { if (is("edit")) edit[name](...args); }]));
    listen(this.canvas, this.camera, { ...on, view: () => this.redraw(), pans: () => !is("edit") });
    addEventListener("keydown", (event) => this.#keyDown(event));
    addEventListener("keyup", (event) => this.play.keyUp(event));
    addEventListener("blur", () => this.play.held.release());
    for (const id of ["inspector", "status", "play"]) { // after a click there, Space plays, and presses nothing again
      $(id).addEventListener("click", (event) => { if (event.detail > 0 && event.target.closest("button, [type=checkbox]") && !document.querySelector(".menu")) this.canvas.focus({ preventScroll: true }); });
    }
    new ResizeObserver(() => this.fit()).observe($("stage"));
    this.#dropping();
    document.addEventListener("visibilitychange", () => { if (document.hidden && is("play") && this.play.player.playing) this.play.player.run(false); });
  }

  #keyDown(event) {
    const inField = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, dialog, .menu");
    const command = event.ctrlKey || event.metaKey, lower = event.key.toLowerCase();
    if (command && "so".includes(lower) && lower && this.view !== "maps") {
      event.preventDefault();
      (lower === "s" ? this.files.save() : this.files.open());
      return;
    }
    if (inField) return;
    if (this.#general(event, command)) event.preventDefault();
  }

  #general(event, command) {
    const { key } = event, isButton = event.target.closest?.("button, [type=checkbox]");
    if (key === " " && (this.view === "play" || this.view === "watch" || !isButton || isButton.closest(".tools, .bar"))) { if (!event.repeat) this.togglePlay(); return true; }
    if (key === "?") { this.help(); return true; }
    if (this.view === "gallery") {
      if (key === "Escape") this.show("edit");
      return key === "Escape";
    }
    if (this.view === "play") return !command && (key === "Escape" ? (this.leave(), true) : event.repeat && key.startsWith("Arrow") ? true : this.play.keyDown(event));
    if (this.view !== "edit") { if (key === "Escape") this.leave(); return key === "Escape"; }
    if (key === "0" && !command) { this.fit(); return true; }
    if (key === "g" && !command) { this.show("gallery"); return true; }
    if (key === "Tab" && event.target === this.canvas) return this.editor.tab(event.shiftKey);
    if (isButton && (key === "Enter" || key.startsWith("Arrow"))) return false;
    return this.editor.keyDown(event);
  }

  #dropping() {
    const hide = () => { $("drop").hidden = true; };
    addEventListener("dragover", (event) => { event.preventDefault(); $("drop").hidden = false; });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) hide(); });
    addEventListener("drop", (event) => {
      event.preventDefault();
      hide();
      const [file] = event.dataTransfer.files;
      if (file) this.files.take(file);
    });
  }

  // -- pictures -------------------------------------------------------------------------------------------------

  #loop() {
    let last = performance.now();
    const frame = (now) => {
      requestAnimationFrame(frame);
      const seconds = Math.min(0.1, (now - last) / 1000);
      last = now;
      if (this.view === "gallery" || this.view === "maps") return;
      if (this.view === "play") this.play.paint(fitted(this.canvas), seconds);
      else if (this.view === "watch") this.watch.paint(seconds, fitted(this.canvas));
      else {
        if (this.dirty) { this.dirty = false; this.editor.paint(fitted(this.canvas)); }
        this.watch?.paint(seconds);
      }
    };
    requestAnimationFrame(frame);
  }

  // -- the first moment -----------------------------------------------------------------------------------------

  async start() {
    await this.show("edit");
    const shared = await this.#shared();
    const memory = kept();
    this.started = true;
    if (shared) this.open(shared);
    else if (this.about.level) this.open(this.about.level);
    else if (memory?.file && this.about.mode !== "play") await this.#recall(memory);
    else await this.#first();
    if (this.about.mode === "play") await (this.about.level || shared ? this.show("play") : this.show("gallery"));
    else if (this.watch) this.editor.hint("Change the level, and see at the side what the agent makes of it");
    else if (!memory) this.editor.hint(matchMedia("(pointer: coarse)").matches ? "Press Play, or tap a shape to change it" : "Press Space to play this level, or click a shape to change it");
    document.body.dataset.ready = "yes";
  }

  async #shared() {
    try {
      const text = await sharedText();
      return text && (await api.imported(text, "the link")).level;
    } catch (error) {
      toast(`The link holds no level that can be read: ${error.message}`, true);
      return null;
    }
  }

  async #first() { this.open((await api.libraryLevel(this.about.run?.size === "s" ? STARTER_OF_S : STARTER)).level); }

  async #recall(memory) {
    try {
      this.open((await api.imported(JSON.stringify(memory.file), "the last drawing")).level, memory.savedAs);
    } catch {
      await this.#first();
    }
  }
}

async function begin() {
  try {
    const about = await api.hello();
    if (about.run && about.run.world !== "physics") {
      const { Maps } = await import("./maps.js");
      document.body.dataset.view = "maps";
      new Maps(about).start();
      return;
    }
    await new Studio(about).start();
  } catch (error) {
    toast(error.message, true);
    throw error;
  }
}

begin();
