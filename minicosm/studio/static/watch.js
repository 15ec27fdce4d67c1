// A trained run at work on the level that is being drawn: live, and how often it wins out of 256.
import { element, fitted, toast } from "./dom.js";
import { Camera } from "./camera.js";
import { paintGround, paintScene } from "./paint.js";
import { Player } from "./player.js";
import { viewOf } from "./level.js";

const PAUSE = 350; // ms without a change before the agent is given the level

export class Watch {
  /** `studio` has about (with run), theme(), file(), editor and camera. */
  constructor(studio) {
    this.studio = studio;
    this.camera = new Camera();
    this.wins = 0;
    this.plays = 0;
    this.player = new Player("/socket/watch", {
      warming: () => this.#say("Warming up the agent…"),
      scene: () => { this.player.playing = true; this.#say(""); },
      ended: (message) => { this.ended = message.outcome; },
      restarted: () => { this.ended = null; this.player.playing = true; },
      measuring: () => this.#say("Measuring…"),
      rate: (rate) => this.#rate(rate),
      error: (text) => this.#say(text),
      closed: (text) => { this.#say(text); if (text.includes("reload")) toast(text, true); },
    });
    const { run } = studio.about;
    this.canvas = element("canvas", { "aria-label": "The agent at play", role: "img" });
    this.number = element("div", { class: "rate", text: "…" });
    this.bars = [element("i", { class: "won" }), element("i", { class: "lost" })];
    this.text = element("p", { text: "" });
    this.box = element("div", { class: "agent" },
      element("h2", {}, "Agent", element("span", { class: "what", text: `${run.name}, size ${run.size.toUpperCase()}` })),
      this.canvas, this.number, element("div", { class: "stacked" }, ...this.bars), this.text);
  }

  /** The level has changed. */
  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.number.classList.add("old");
      this.ended = null;
      this.player.load(this.studio.file(), true);
    }, PAUSE);
  }

  #say(text) { this.text.textContent = text; }

  #rate({ won, lost, seconds, rollouts }) {
    this.number.textContent = `${(100 * won).toFixed(won > 0 && won < 0.1 ? 1 : 0)} %`;
    this.bars[0].style.width = `${100 * won}%`;
    this.bars[1].style.width = `${100 * lost}%`;
    this.#say(`won of ${rollouts} tries; ${(100 * lost).toFixed(0)} % lost, ${seconds.toFixed(1)} s on average`);
  }

  /** Both where it is small and, if `ctx` is given, where it is large. */
  paint(seconds, ctx = null) {
    const { player } = this;
    player.advance(seconds);
    if (this.canvas.isConnected && this.canvas.clientWidth) {
      this.camera.resize(this.canvas.clientWidth, this.canvas.clientHeight);
      this.camera.fit(viewOf(this.studio.editor.draft));
      this.#picture(fitted(this.canvas), this.camera);
    }
    if (ctx) this.#picture(ctx, this.studio.camera);
  }

  #picture(ctx, camera) {
    const theme = this.studio.theme(), shown = this.player.shown();
    paintGround(ctx, camera, theme);
    if (!shown) return;
    paintScene(ctx, camera, this.player.scene, shown.poseOf, { theme, signals: shown.signals, numMotors: this.studio.about.motors });
    if (!this.ended) return;
    ctx.lineWidth = 8;
    ctx.strokeStyle = this.ended === "won" ? "#3ec478" : "#d0242e";
    ctx.strokeRect(4, 4, camera.width - 8, camera.height - 8);
  }
}
