// Trained robots on a map that is drawn here: walls, starts and goals; one of them can be driven with the arrow keys.
import * as api from "./api.js";
import { $, element, fitted, toast } from "./dom.js";
import { distance } from "./geometry.js";
import { drawMap } from "./map_paint.js";
import { Player } from "./player.js";

const PAUSE = 300; // ms without a change before the robots start anew
const TOOLS = [["wall", "Walls", "Drag over cells: paints walls, or takes them away"], ["robot", "Robots", "Drag from where a robot starts to where it goes"], ["erase", "Remove", "Click a robot"], ["drive", "Drive", "Click a robot, then use the arrow keys"]];

export class Maps {
  constructor(about) {
    this.about = about;
    this.run = about.run;
    this.level = { rows: Array.from({ length: this.run.height }, () => ".".repeat(this.run.width)), robots: [] };
    this.past = [];
    this.tool = "wall";
    this.driven = null;
    this.held = new Set();
    this.player = new Player("/socket/watch", {
      warming: () => this.#say("Warming up the robots…"),
      scene: () => { this.ended = null; this.player.playing = true; this.#say(""); },
      restarted: () => { this.ended = null; this.player.playing = true; },
      ended: (message) => { this.ended = message; this.#say(`${message.arrived} of ${message.robots} arrived${message.collided ? `, ${message.collided} collided` : ""}`); },
      running: ({ playing }) => { this.pause.textContent = playing ? "Pause" : "Go on"; },
      measuring: () => this.#say("Measuring…"),
      rate: (rate) => this.#rate(rate),
      error: (text) => { this.#say(text); this.player.frames = []; },
      closed: (text) => toast(text, true),
    }, this.run.hz);
    this.#build();
  }

  async start() {
    try {
      this.level = this.about.level || (await api.randomMap()).level;
    } catch (error) {
      toast(error.message, true);
    }
    this.#changed();
    this.#loop();
    document.body.dataset.ready = "yes";
  }

  // -- the page -------------------------------------------------------------------------------------------------

  #build() {
    const { run } = this;
    this.canvas = element("canvas", { tabindex: 0, role: "application", "aria-label": "The map" });
    this.tools = TOOLS.map(([name, text, title]) => element("button", { text, title, "data-tool": name, "aria-pressed": String(name === this.tool), on: { click: () => this.#use(name) } }));
    this.number = element("div", { class: "rate", text: "…" });
    this.bars = [element("i", { class: "won" }), element("i", { class: "lost" })];
    this.text = element("p", { role: "status" });
    this.hint = element("p", { text: TOOLS[0][2] });
    this.pause = element("button", { text: "Pause", on: { click: () => this.player.run(!this.player.playing) } });
    $("maps").hidden = false;
    $("maps").replaceChildren(
      element("div", { class: "field-of-play" }, this.canvas),
      element("div", { class: "side agent" },
        element("h2", { text: run.name }), element("p", { text: `trained in ${run.world}, ${run.robots} robot${run.robots > 1 ? "s" : ""}, ${run.width} × ${run.height} cells` }),
        this.number, element("div", { class: "stacked" }, ...this.bars), this.text,
        element("h3", { text: "Draw" }), element("div", { class: "choices" }, ...this.tools), this.hint,
        element("div", { class: "actions" },
          element("button", { id: "random-map", text: "Random map", on: { click: () => this.#random() } }), element("button", { text: "No walls", on: { click: () => this.#edit({ ...this.level, rows: this.level.rows.map((row) => ".".repeat(row.length)) }) } }),
          element("button", { text: "Undo", title: "Ctrl+Z", on: { click: () => this.#undo() } }), this.pause)));
    const on = (kind, call) => this.canvas.addEventListener(kind, (event) => { call(this.#cell(event), event); event.preventDefault(); });
    on("pointerdown", (cell, event) => { this.canvas.focus(); this.canvas.setPointerCapture(event.pointerId); this.#press(cell); });
    on("pointermove", (cell) => this.#drag(cell));
    on("pointerup", (cell) => this.#release(cell));
    $("theme").onclick = () => { this.dark = !this.dark; document.documentElement.dataset.theme = this.dark ? "dark" : "light"; };
    this.dark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
  }

  #use(name) {
    this.tool = name;
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    this.hint.textContent = TOOLS.find(([one]) => one === name)[2];
    if (name !== "drive") this.#drive(null);
  }

  #say(text) { this.text.textContent = text; }

  #rate({ won, lost, seconds, rollouts }) {
    this.number.textContent = `${(100 * won).toFixed(won > 0 && won < 0.1 ? 1 : 0)} %`;
    this.bars[0].style.width = `${100 * won}%`;
    this.bars[1].style.width = `${100 * lost}%`;
    const collided = this.run.world === "nav" ? `${(100 * lost).toFixed(0)} % collided, ` : "";
    this.#say(`arrived, of ${rollouts} episodes; ${collided}${this.run.world === "nav" ? `${seconds.toFixed(0)} s` : `${Math.round(seconds * this.run.hz)} steps`} on average`);
  }

  async #random() {
    try {
      this.#edit((await api.randomMap()).level);
    } catch (error) {
      toast(error.message, true);
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
    } else if (this.level !== before) {
      this.past.push(before);
      this.#changed();
    }
  }

  #paint([column, row]) {
    if (this.level.rows[row][column] === this.paints) return;
    if (this.paints === "#" && this.level.robots.some((robot) => [robot.start, robot.goal].some((cell) => cell[0] === column && cell[1] === row))) return;
    const rows = this.level.rows.map((line, i) => (i === row ? line.slice(0, column) + this.paints + line.slice(column + 1) : line));
    this.level = { ...this.level, rows };
  }

  #edit(level) {
    this.past.push(this.level);
    this.level = level;
    this.#changed();
  }

  #undo() {
    if (!this.past.length) return;
    this.level = this.past.pop();
    this.#changed();
  }

  #changed() {
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
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && isDown) { this.#undo(); event.preventDefault(); return; }
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    if (event.repeat) return;
    if (isDown) this.held.add(event.key); else this.held.delete(event.key);
    const has = (key) => (this.held.has(key) ? 1 : 0);
    this.player.send({ type: "act", signals: [has("ArrowUp") - has("ArrowDown"), has("ArrowLeft") - has("ArrowRight")] });
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
