// Trained robots on a map that is drawn here: walls, starts and goals; one of them can be driven with the arrow keys.
import * as api from "./api.js";
import { $, announce, element, fitted, toast } from "./dom.js";
import { distance } from "./geometry.js";
import { drawMap } from "./map_paint.js";
import { Player } from "./player.js";

const PAUSE = 300; // ms without a change before the robots start anew
const TOOLS = [["wall", "Walls", "Drag over cells: paints walls, or takes them away"], ["robot", "Robots", "Drag from where a robot starts to where it goes"], ["erase", "Remove", "Click a robot"], ["drive", "Drive", "Click a robot, or press its number, then use the arrow keys"]];
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Maps {
  constructor(about) {
    this.about = about;
    this.run = about.run;
    this.level = { rows: Array.from({ length: this.run.height }, () => ".".repeat(this.run.width)), robots: [] };
    this.past = [];
    this.future = [];
    this.cursor = null; // the cell that the keys are at
    this.tool = "wall";
    this.driven = null;
    this.held = new Set();
    this.player = new Player("/socket/watch", {
      warming: () => this.#say("Warming up the robots…"),
      scene: () => { this.ended = null; this.player.playing = true; this.#say(""); this.#tell(""); },
      restarted: () => { this.ended = null; this.player.playing = true; this.#tell(""); },
      ended: (message) => { this.ended = message; this.#tell(`${message.arrived} of ${message.robots} arrived${message.collided ? `, ${message.collided} collided` : ""}`); },
      running: ({ playing }) => { this.pause.textContent = playing ? "Pause" : "Go on"; },
      measuring: () => this.#say("Measuring…"),
      rate: (rate) => this.#rate(rate),
      error: (text) => { this.#say(text); this.#tell(""); this.number.textContent = "–"; this.player.frames = []; },
      closed: (text) => toast(text, true),
    }, this.run.hz);
    this.#build();
  }

  async start() {
    try {
      this.level = this.about.level || this.#kept() || (await api.randomMap()).level;
    } catch (error) {
      toast(error.message, true);
    }
    this.#changed();
    this.#loop();
    document.body.dataset.ready = "yes";
    const names = await api.maps().catch(() => []);
    this.library.append(...names.map((name) => element("option", { value: name, text: name.replaceAll("_", " ") })));
    this.library.hidden = !names.length;
  }

  // -- the page -------------------------------------------------------------------------------------------------

  #build() {
    const { run } = this;
    this.canvas = element("canvas", { tabindex: 0, role: "application", "aria-label": "The map. Arrow keys go from cell to cell, Enter does what the tool does." });
    this.tools = TOOLS.map(([name, text, title]) => element("button", { text, title, "data-tool": name, "aria-pressed": String(name === this.tool), on: { click: () => this.#use(name) } }));
    this.number = element("div", { class: "rate", text: "…" });
    this.bars = [element("i", { class: "won" }), element("i", { class: "lost" })];
    this.text = element("p", { role: "status" });
    this.live = element("p", { class: "live" }); // how this one episode ended
    this.hint = element("p", { text: TOOLS[0][2] });
    this.pause = element("button", { text: "Pause", on: { click: () => this.player.run(!this.player.playing) } });
    this.library = element("select", { "aria-label": "Hand-made maps", hidden: true, on: { change: () => this.#open(this.library.value) } }, element("option", { value: "", text: "Hand-made maps…" }));
    $("maps").hidden = false;
    $("maps").replaceChildren(
      element("div", { class: "field-of-play" }, this.canvas),
      element("div", { class: "side agent" },
        element("h2", { text: run.name }), element("p", { text: `trained in ${run.world}, ${run.robots} robot${run.robots > 1 ? "s" : ""}, ${run.width} × ${run.height} cells` }),
        this.number, element("div", { class: "stacked" }, ...this.bars), this.text, this.live,
        this.library, element("h3", { text: "Draw" }), element("div", { class: "choices" }, ...this.tools), this.hint,
        element("div", { class: "actions" },
          element("button", { id: "random-map", text: "Random map", on: { click: () => this.#random() } }), element("button", { text: "No walls", on: { click: () => this.#edit({ ...this.level, rows: this.level.rows.map((row) => ".".repeat(row.length)) }) } }),
          element("button", { text: "Undo", title: "Ctrl+Z", on: { click: () => this.#undo() } }), element("button", { text: "Redo", title: "Ctrl+Shift+Z", on: { click: () => this.#redo() } }), this.pause)));
    const on = (kind, call) => this.canvas.addEventListener(kind, (event) => { call(this.#cell(event), event); event.preventDefault(); });
    on("pointerdown", (cell, event) => { this.canvas.focus(); this.cursor = null; this.canvas.setPointerCapture(event.pointerId); this.#press(cell); });
    on("pointermove", (cell) => this.#drag(cell));
    on("pointerup", (cell) => this.#release(cell));
    this.#theme();
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
  }

  #theme() {
    let chosen = null;
    try { chosen = localStorage.getItem("minicosm.theme"); } catch { /* private window */ }
    const apply = (dark) => { this.dark = dark; document.documentElement.dataset.theme = dark ? "dark" : "light"; };
    apply(chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
    $("theme").onclick = () => {
      apply(!this.dark);
      try { localStorage.setItem("minicosm.theme", this.dark ? "dark" : "light"); } catch { /* private window */ }
    };
  }

  #use(name) {
    this.tool = name;
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    this.hint.textContent = TOOLS.find(([one]) => one === name)[2];
    if (name !== "drive") this.#drive(null);
  }

  #say(text) { this.text.textContent = text; }
  #tell(text) { this.live.textContent = text; }

  #rate({ won, lost, seconds, rollouts }) {
    this.number.classList.remove("old");
    this.number.textContent = `${(100 * won).toFixed(won > 0 && won < 0.1 ? 1 : 0)} %`;
    this.bars[0].style.width = `${100 * won}%`;
    this.bars[1].style.width = `${100 * lost}%`;
    const collided = this.run.world === "nav" ? `${(100 * lost).toFixed(0)} % collided, ` : "";
    this.#say(`arrived, of ${rollouts} episodes; ${collided}${this.run.world === "nav" ? `${seconds.toFixed(0)} s` : `${Math.round(seconds * this.run.hz)} steps`} on average`);
  }

  #random() { return this.#take(api.randomMap()); }

  #open(name) {
    this.library.value = "";
    return name && this.#take(api.libraryMap(name));
  }

  async #take(asked) {
    try {
      this.#edit((await asked).level);
    } catch (error) {
      toast(error.message, true);
    }
  }

  // -- kept in this browser, for robots of the same kind ----------------------------------------------------------

  get #place() { return `minicosm.map.${this.run.world}.${this.run.width}x${this.run.height}x${this.run.robots}`; }

  #keep() {
    try { localStorage.setItem(this.#place, JSON.stringify(this.level)); } catch { /* drawn on, unkept */ }
  }

  #kept() {
    try {
      const level = JSON.parse(localStorage.getItem(this.#place));
      return level.rows.length === this.run.height && level.robots.length ? level : null;
    } catch {
      return null;
    }
  }

  // -- drawing --------------------------------------------------------------------------------------------------

  /** [column, row from the top, as on the page] and the exact place, in cells with y up. */
  #cell(event) {
    const box = this.canvas.getBoundingClientRect(), { scale, left, top } = this.#frame();
    const x = (event.clientX - box.left - left) / scale, y = (event.clientY - box.top - top) / scale;
    return { cell: [Math.floor(x), Math.floor(y)], place: [x, this.run.height - y], isInside: x >= 0 && y >= 0 && x < this.run.width && y < this.run.height };
  }

  #frame() {
    const { width, height } = this.run, w = this.canvas.clientWidth, h = this.canvas.clientHeight;
    const scale = Math.max(4, Math.min((w - 32) / width, (h - 32) / height));
    return { scale, left: (w - scale * width) / 2, top: (h - scale * height) / 2 };
  }

  #wallAt([column, row]) { return this.level.rows[row]?.[column] === "#"; }

  #press(at) {
    if (!at.isInside) return;
    this.before = this.level;
    if (this.tool === "wall") {
      this.paints = this.#wallAt(at.cell) ? "." : "#";
      this.#paint(at.cell);
    } else if (this.tool === "robot") {
      this.making = { start: at.cell, goal: at.cell };
    } else if (this.tool === "erase") {
      const near = this.level.robots.findIndex((robot) => [robot.start, robot.goal].some((cell) => cell[0] === at.cell[0] && cell[1] === at.cell[1]));
      this.before = null; // no stroke that ends with the pointer's release
      if (near >= 0) this.#edit({ ...this.level, robots: this.level.robots.filter((_, i) => i !== near) });
    } else {
      const places = this.robotsNow(), near = places.map((p, i) => [distance(p, at.place), i]).sort(([a], [b]) => a - b)[0];
      this.#drive(near && near[0] < 1 ? near[1] : null);
    }
  }

  #drag(at) {
    if (!this.before || !at.isInside) return;
    if (this.tool === "wall") this.#paint(at.cell);
    else if (this.making) this.making = { ...this.making, goal: at.cell };
  }

  #release() {
    if (!this.before) return;
    const { making, before } = this;
    this.before = this.making = null;
    if (making && String(making.start) !== String(making.goal)) {
      const free = (rows, [column, row]) => rows.map((line, i) => (i === row ? `${line.slice(0, column)}.${line.slice(column + 1)}` : line));
      const rows = [making.start, making.goal].reduce(free, this.level.rows);
      const robots = [...this.level.robots, making].slice(-this.run.robots); // the oldest gives way
      this.#edit({ rows, robots });
    } else if (this.level !== before) this.#changed(before);
  }

  #paint([column, row]) {
    if (this.level.rows[row][column] === this.paints) return;
    if (this.paints === "#" && this.level.robots.some((robot) => [robot.start, robot.goal].some((cell) => cell[0] === column && cell[1] === row))) return;
    const rows = this.level.rows.map((line, i) => (i === row ? line.slice(0, column) + this.paints + line.slice(column + 1) : line));
    this.level = { ...this.level, rows };
  }

  #edit(level) {
    const before = this.level;
    this.level = level;
    this.#changed(before);
  }

  #undo() { this.#step(this.past, this.future); }
  #redo() { this.#step(this.future, this.past); }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.level);
    this.level = from.pop();
    this.#changed();
  }

  /** With what it was `before`, if that is a change of its own. */
  #changed(before = null) {
    if (before) {
      this.past.push(before);
      this.future = [];
    }
    this.#keep();
    this.number.classList.add("old");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.player.load(this.level, true), PAUSE);
  }

  // -- driving --------------------------------------------------------------------------------------------------

  #drive(robot) {
    if (robot === this.driven) return;
    this.driven = robot;
    this.player.send({ type: "drive", robot });
    if (robot !== null) this.hint.textContent = `Robot ${robot + 1} is yours: arrow keys. Click elsewhere to let it go`;
  }

  #key(event, isDown) {
    const lower = event.key.toLowerCase();
    if (event.target.closest?.("select")) return;
    if ((event.ctrlKey || event.metaKey) && "zy".includes(lower)) {
      if (isDown && (lower === "y" || event.shiftKey)) this.#redo();
      else if (isDown) this.#undo();
      event.preventDefault();
      return;
    }
    if (this.tool !== "drive") {
      if (isDown && event.target === this.canvas && this.#point(event.key)) event.preventDefault();
      return;
    }
    if (isDown && /^[1-9]$/.test(lower) && Number(lower) <= this.level.robots.length) this.#drive(Number(lower) - 1);
    if (isDown && lower === "escape") this.#drive(null);
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    if (event.repeat) return;
    if (isDown) this.held.add(event.key); else this.held.delete(event.key);
    const has = (key) => (this.held.has(key) ? 1 : 0);
    this.player.send({ type: "act", signals: [has("ArrowUp") - has("ArrowDown"), has("ArrowLeft") - has("ArrowRight")] });
  }

  /** Arrow keys go from cell to cell, Enter or Space does there what a pointer would; whether the key meant something. */
  #point(key) {
    const { run } = this, way = WAYS[key], within = (value, most) => Math.max(0, Math.min(most - 1, value));
    if (key === "Escape") { this.cursor = this.making = this.before = null; return true; }
    if (!way && key !== "Enter" && key !== " ") return false;
    if (!this.cursor) this.cursor = [run.width >> 1, run.height >> 1];
    else if (way) this.cursor = [within(this.cursor[0] + way[0], run.width), within(this.cursor[1] + way[1], run.height)];
    const [column, row] = this.cursor;
    if (way) {
      if (this.making) this.making = { ...this.making, goal: this.cursor };
      announce(`Column ${column + 1}, row ${row + 1}, ${this.#wallAt(this.cursor) ? "wall" : "free"}`);
    } else if (this.making) this.#release();
    else {
      this.#press({ cell: this.cursor, isInside: true });
      if (this.making) this.hint.textContent = "Go to where it goes, and press Enter again";
      else this.#release();
    }
    return true;
  }

  // -- pictures -------------------------------------------------------------------------------------------------

  /** Of each robot: [x, y, heading, how it fares, arrivals, ranges]; in cells, y up, between the two frames next to now. */
  robotsNow() {
    const { player } = this, { frames } = player, count = this.run.robots;
    if (!frames.length || !player.scene) return [];
    const index = Math.max(0, Math.min(frames.length - 1, Math.floor(player.playhead - frames[0][0])));
    const a = frames[index], b = frames[Math.min(index + 1, frames.length - 1)], share = Math.max(0, Math.min(1, player.playhead - a[0])), beams = player.scene.num_beams;
    const mix = (k) => a[k] + (b[k] - a[k]) * share;
    const turn = (k) => a[k] + Math.atan2(Math.sin(b[k] - a[k]), Math.cos(b[k] - a[k])) * share;
    return player.scene.robots.map((_, i) => {
      const ranges = beams ? a.subarray(2 + 5 * count + i * beams, 2 + 5 * count + (i + 1) * beams) : null;
      return [mix(2 + i), mix(2 + count + i), turn(2 + 2 * count + i), a[2 + 3 * count + i], a[2 + 4 * count + i], ranges];
    });
  }

  #loop() {
    let last = performance.now();
    const frame = (now) => {
      requestAnimationFrame(frame);
      this.player.advance(Math.min(0.1, (now - last) / 1000));
      last = now;
      drawMap(fitted(this.canvas), this.#frame(), this);
    };
    requestAnimationFrame(frame);
  }
}
