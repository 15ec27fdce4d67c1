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
    this.misfit = false; // the agent cannot be put on what is drawn
    this.player = new Player("/socket/watch", {
      warming: () => this.#say("Warming up the agent…"),
      scene: () => { this.player.playing = true; this.misfit = false; this.#say(""); },
      ended: (message) => { if (!this.misfit) this.ended = message.outcome; },
      restarted: () => { this.ended = null; this.player.playing = true; },
      measuring: () => { if (!this.misfit) this.#say("Measuring…"); },
      rate: (rate) => { if (!this.misfit) this.#rate(rate); }, // else it is of the level before
      error: (text) => this.#refuse(text),
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

  #refuse(text) {
    this.misfit = true;
    this.player.frames = [];
    this.ended = null;
    this.number.textContent = "–";
    for (const bar of this.bars) bar.style.width = "0";
    this.reason = text;
    this.checked();
  }

  /** How full the level is, is known now. */
  checked() { if (this.misfit) this.#say(this.#tooLarge() || this.reason); }

  /** What is to be removed until the level has the size that the run was trained at; null where that is not the matter. */
  #tooLarge() {
    const { about: { run }, editor: { counts } } = this.studio, room = counts?.room[run.size];
    const over = room && Object.entries(counts.used).filter(([kind, used]) => used > room[kind]).map(([kind, used]) => `${used - room[kind]} of ${used} ${kind}`);
    return over?.length ? `Too large for this agent, which was trained at size ${run.size.toUpperCase()}. Remove ${over.join(" and ")}` : null;
  }

  #rate({ won, lost, seconds, rollouts }) {
    this.number.classList.remove("old");
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
    const theme = this.studio.theme(), shown = this.player.shown(), drawn = this.studio.editor.scene();
    const [scene, poseOf] = shown ? [this.player.scene, shown.poseOf] : [drawn, (slot) => drawn.poses[slot]]; // until the agent acts
    paintGround(ctx, camera, theme);
    paintScene(ctx, camera, scene, poseOf, { theme, signals: shown?.signals || null, numMotors: this.studio.about.motors });
    if (!this.ended) return;
    ctx.lineWidth = 8;
    ctx.strokeStyle = this.ended === "won" ? "#3ec478" : "#d0242e";
    ctx.strokeRect(4, 4, camera.width - 8, camera.height - 8);
  }
}
