// Playing a level: its keys, its clock, the transport, and what is said when it ends.
import * as api from "./api.js";
import { $, announce, download, element, icon, menu, toast } from "./dom.js";
import { celebrate } from "./celebrate.js";
import { Held, controlsOf, labelOf, nameOf } from "./keys.js";
import { bindingColour, css, paintGround, paintScene } from "./paint.js";
import { Player } from "./player.js";

const ICONS = {
  restart: '<path d="M5 12a7 7 0 1 0 2.3-5.2L5 9M5 4v5h5"/>', pause: '<path d="M9 6v12M15 6v12"/>', run: '<path d="M8 5v14l11-7z" class="fill"/>',
  step: '<path d="M6 5v14l9-7zM18 5v14"/>', save: '<path d="M12 4v11m-4.5-4L12 15.5 16.5 11M5 19h14"/>',
};
const SPEEDS = [[1, "1×"], [0.5, "½×"], [0.25, "¼×"], [0.1, "⅒×"]];

export class Play {
  /** `studio` has about, theme(), isDark(), camera, canvas, file() (the level), leave() and next() (or null). */
  constructor(studio) {
    this.studio = studio;
    this.isOpen = false;
    this.held = new Held(studio.about.motors + studio.about.thrusters, (signals) => this.player.send({ type: "act", signals }));
    this.player = new Player("/socket/play", {
      scene: () => this.#running({ playing: true }),
      warming: () => this.#warming(true),
      ready: () => this.#warming(false),
      ended: (message) => this.#ended(message),
      running: (message) => this.#running(message),
      sought: () => this.#running({ playing: false }),
      error: (text) => { toast(text, true); },
      closed: (text) => { if (this.isOpen) { toast(text, true); this.studio.leave(); } },
      recording: (message) => this.recorded?.(message),
    });
    this.#build();
  }

  #build() {
    const button = (id, kind, title, run, extra = {}) => element("button", { class: "icon", id, title, "aria-label": title, on: { click: run }, ...extra }, icon(ICONS[kind]));
    this.pauseButton = button("pause", "pause", "Pause (P)", () => this.toggle());
    this.slider = element("input", { type: "range", min: 0, max: 1, value: 0, step: 1, "aria-label": "Rewind", title: "Rewind: drag back, then go on from there", on: {
      input: () => { this.#over(null); if (this.player.playing) this.player.run(false); this.player.scrub = Number(this.slider.value); },
      change: () => this.#seek(Number(this.slider.value)),
    } });
    this.speeds = element("select", { "aria-label": "Speed", title: "Slow motion ([ and ])", on: { change: () => this.player.setSpeed(Number(this.speeds.value)) } },
      ...SPEEDS.map(([value, text]) => element("option", { value, text })));
    this.fill = element("i");
    this.time = element("span", { text: "0.0 s" });
    this.clock = element("div", { class: "clock", role: "timer" }, this.time, element("div", { class: "bar-track", title: "The time that an agent has" }, this.fill), this.limitText = element("small"));
    this.controls = element("div", { class: "controls" });
    this.tint = element("div", { class: "tint" });
    this.warmingBox = element("div", { class: "warming", hidden: true }, element("div", { class: "spinner" }), element("span", { text: "Warming up the engine…" }));
    this.banner = element("div", { hidden: true });
    this.saveButton = button("export", "save", "Keep this run (replay, GIF, demonstration)", () => this.#exportMenu());
    $("play").replaceChildren(this.tint, this.clock, this.controls,
      element("div", { class: "transport", role: "toolbar", "aria-label": "Transport" },
        button("restart", "restart", "Again from the start (R)", () => this.restart()), this.pauseButton,
        button("step", "step", "One step of an agent (.)", () => this.player.step(), { class: "icon optional" }), this.slider, this.speeds, this.saveButton),
      element("canvas", { id: "confetti" }), this.banner, this.warmingBox);
  }

  open() {
    this.isOpen = true;
    $("play").hidden = false;
    this.#over(null);
    const { editor } = this.studio, scene = editor.scene();
    const controls = controlsOf(scene, (slot) => scene.poses[slot], this.studio.about.motors);
    this.held.use(controls);
    this.#showControls(controls);
    this.restart();
  }

  close() {
    this.isOpen = false;
    $("play").hidden = true;
    this.held.release();
    if (this.player.scene) this.player.run(false);
    this.#over(null);
  }

  restart() {
    this.#over(null);
    this.player.load(this.studio.file(), true);
  }

  toggle() {
    if (this.result) return this.restart();
    this.player.run(!this.player.playing);
  }

  #seek(tick) {
    this.#over(null);
    this.player.seek(Math.min(tick, this.player.tick));
  }

  // -- what the server says -------------------------------------------------------------------------------------

  #warming(is) { this.warmingBox.hidden = !is; }

  #running({ playing, why }) {
    this.player.playing = playing;
    this.pauseButton.replaceChildren(icon(playing ? ICONS.pause : ICONS.run));
    this.pauseButton.title = playing ? "Pause (P)" : "Go on (P)";
    if (why && why !== "ended") toast(why);
  }

  #ended(message) {
    const seconds = (message.tick / 60).toFixed(1), won = message.outcome === "won", pair = message.pairs[0] || [];
    const late = message.tick > this.limit;
    this.result = message.outcome;
    this.endedAt = message.tick; // it is shown to move on for a moment, but the clock has stopped
    this.tint.className = `tint ${message.outcome}`;
    const next = won && this.studio.next?.();
    const said = won ? `in ${seconds} s${late ? ", longer than an agent has" : ""}` : pair.length ? `“${pair[0]}” and “${pair[1]}” met after ${seconds} s` : `after ${seconds} s`;
    this.banner.className = `banner ${message.outcome}`;
    this.banner.replaceChildren(
      element("h2", { text: won ? "Solved!" : "Green touched red" }), element("p", { text: said }),
      element("div", { class: "buttons" },
        next ? element("button", { class: "primary", text: "Next level", on: { click: next } }) : null,
        element("button", { class: next ? "" : "primary", on: { click: () => this.restart() } }, "Again", element("kbd", { text: "R" })),
        element("button", { on: { click: () => this.studio.leave() } }, "Edit", element("kbd", { text: "Space" })),
        won ? element("button", { text: "Keep the run…", on: { click: () => this.#exportMenu(this.banner) } }) : null));
    this.banner.hidden = false;
    announce(won ? `Solved in ${seconds} seconds` : "Lost: green touched red");
    if (won) celebrate($("confetti"));
  }

  #over(result) {
    this.result = result;
    this.banner.hidden = true;
    this.tint.className = "tint";
  }

  // -- keys and buttons -----------------------------------------------------------------------------------------

  #showControls(controls) {
    const colour = (c) => css(bindingColour(this.studio.theme(), c.kind, c.binding, this.studio.about.motors));
    this.buttons = new Map();
    const key = (control, name, value) => {
      const source = `button ${control.signal} ${value}`;
      const made = element("button", { tabindex: -1, text: nameOf(name), "aria-label": `${control.kind} ${control.binding + 1}, ${nameOf(name)}`, on: {
        pointerdown: (event) => { try { made.setPointerCapture(event.pointerId); } catch { /* gone */ } this.held.hold(source, control.signal, value); event.preventDefault(); },
        pointerup: () => this.held.up(source), pointercancel: () => this.held.up(source), lostpointercapture: () => this.held.up(source),
        contextmenu: (event) => event.preventDefault(),
      } });
      made.style.setProperty("--held", colour(control));
      this.buttons.set(made, [control.signal, value]);
      return made;
    };
    this.controls.replaceChildren(...controls.map((control) => {
      const dot = element("i");
      dot.style.background = colour(control);
      const keys = control.keys.length ? control.keys : control.digits;
      return element("div", { class: "control" }, element("span", { class: "name" }, dot, control.kind === "motor" ? "Motor" : "Thruster"), ...keys.map(([name, value]) => key(control, name, value)));
    }));
  }

  /** Whether the key meant something here. */
  keyDown(event) {
    const { key } = event;
    if (this.held.press(key)) return true;
    const lower = key.toLowerCase();
    if (lower === "r" || (key === "Enter" && this.result)) this.restart();
    else if (lower === "p") this.toggle();
    else if (key === ".") this.player.step();
    else if (key === "[" || key === "]") {
      const at = SPEEDS.findIndex(([value]) => value === this.player.speed);
      const [value] = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + (key === "[" ? 1 : -1)))];
      this.speeds.value = String(value);
      this.player.setSpeed(value);
    } else if (key === "," || key === "Backspace") {
      this.player.run(false);
      this.#seek(Math.max(0, this.player.tick - (event.shiftKey || key === "Backspace" ? 60 : this.player.scene.frame_skip)));
    } else return false;
    return true;
  }

  keyUp(event) { this.held.up(`key ${event.key}`); }

  // -- pictures -------------------------------------------------------------------------------------------------

  get limit() { return this.studio.about.max_steps * this.studio.about.frame_skip; }

  paint(ctx, seconds) {
    const { player, studio } = this, theme = studio.theme();
    paintGround(ctx, studio.camera, theme);
    player.advance(seconds);
    const shown = player.shown();
    if (!shown) return;
    const { controls } = this.held, kinds = (kind) => (binding) => (binding === "automatic" ? "" : labelOf(controls, kind, binding));
    const look = { theme, signals: shown.signals, numMotors: studio.about.motors, labels: { motor: kinds("motor"), thruster: kinds("thruster") } };
    paintScene(ctx, studio.camera, player.scene, shown.poseOf, look);
    this.#hud(shown);
  }

  #hud(shown) {
    const tick = this.result ? Math.min(shown.tick, this.endedAt) : shown.tick, share = tick / this.limit, isOver = share >= 1;
    this.time.textContent = `${(tick / 60).toFixed(1)} s`;
    this.fill.style.width = `${Math.min(100, 100 * share)}%`;
    this.clock.classList.toggle("over", isOver);
    this.limitText.textContent = isOver ? "past an agent’s time" : `of ${(this.limit / 60).toFixed(1)} s`;
    if (this.player.scrub === null) {
      this.slider.max = String(Math.max(1, this.player.tick));
      this.slider.value = String(shown.tick);
    }
    for (const [button, [signal, value]] of this.buttons || []) button.classList.toggle("held", shown.signals[signal] * value > 0);
  }

  // -- files ----------------------------------------------------------------------------------------------------

  #exportMenu(over = this.saveButton) {
    if (this.player.playing) this.player.run(false);
    const as = (what, text, name) => ({ text, run: () => this.#export(what, name) });
    menu(over === this.banner ? this.banner.querySelector(".buttons").lastChild : over, [
      { heading: "Keep this run" },
      as("gif", "Film (GIF)", "film.gif"), as("mp4", "Film (MP4)", "film.mp4"),
      as("demonstration", "Demonstration to imitate (.npz)", "demonstration.npz"), as("replay", "Replay (JSON)", "replay.json"),
    ]);
  }

  async #export(what, name) {
    const level = this.studio.file();
    const message = await new Promise((resolve) => { this.recorded = resolve; this.player.send({ type: "recording" }); });
    if (!message.runs.length) return toast("Nothing was played yet.", true);
    this.saveButton.setAttribute("aria-busy", "true");
    toast(what === "replay" ? "Writing…" : "Playing it again for the file…");
    try {
      const title = (level.name || "level").replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 40);
      download(await api.exported(what, level, message.runs, this.studio.isDark()), `${title}_${name}`);
    } catch (error) {
      toast(error.message, true);
    } finally {
      this.saveButton.removeAttribute("aria-busy");
    }
  }
}
