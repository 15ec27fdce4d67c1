// The real engine, on the server, as the page sees it: a socket that is told what is held down and tells where bodies are.
import { socket } from "./api.js";

export const OUTCOMES = ["playing", "won", "lost"];

/**
 * `on` may have scene(scene), ended(message), running(message), warming(), error(text), closed(text), recording(message),
 * restarted(), rate(message), measuring(), sought(). Frames are kept, so that a run can be looked at again.
 */
export class Player {
  constructor(path, on, hz = 60) {
    this.hz = hz; // ticks a second
    this.path = path;
    this.on = on;
    this.frames = [];
    this.scene = null;
    this.playing = false;
    this.speed = 1;
    this.playhead = 0; // tick, with fractions, that is shown
    this.scrub = null; // tick that is looked at instead
    this.ready = false;
    this.link = null;
    this.queue = [];
    setInterval(() => { // while somebody looks on, the session is not idle
      if (this.ready && !document.hidden) this.send({ type: "speed", value: this.speed });
    }, 120_000);
  }

  connect() {
    if (this.link && this.link.readyState <= WebSocket.OPEN) return;
    this.ready = false;
    const link = socket(this.path);
    link.binaryType = "arraybuffer";
    link.onmessage = (event) => (typeof event.data === "string" ? this.#told(JSON.parse(event.data)) : this.#frame(new Float32Array(event.data)));
    link.onclose = () => {
      if (this.link !== link) return;
      this.link = null;
      this.ready = false;
      this.on.closed?.(this.farewell || "The connection to the server is gone.");
    };
    this.link = link;
  }

  close() {
    const { link } = this;
    this.link = null;
    link?.close();
  }

  send(message) {
    this.connect();
    if (this.ready && this.link.readyState === WebSocket.OPEN) this.link.send(JSON.stringify(message));
    else this.queue = [...this.queue.filter((one) => one.type !== message.type), message];
  }

  load(level, playing) {
    this.expecting = true; // frames until the new scene are of the old one
    this.send({ type: "load", level, playing });
    if (this.speed !== 1) this.send({ type: "speed", value: this.speed });
  }

  run(playing) { this.send({ type: "run", playing }); }
  step() { this.send({ type: "step" }); }
  setSpeed(value) {
    this.speed = value;
    this.send({ type: "speed", value });
  }

  /** Take the run back to the step that `tick` lies in, and forget what came after. */
  seek(tick) {
    const step = Math.floor(tick / this.scene.frame_skip);
    this.send({ type: "seek", step });
  }

  #told(message) {
    const { on } = this;
    if (message.type === "ready") {
      this.ready = true;
      this.farewell = null;
      this.numSignals = message.signals;
      for (const one of this.queue.splice(0)) this.link.send(JSON.stringify(one));
    } else if (message.type === "scene") {
      this.scene = message;
      this.frames = [];
      this.expecting = false;
      this.playhead = 0;
      this.scrub = null;
    } else if (message.type === "restarted") {
      this.frames = [];
      this.playhead = 0;
    } else if (message.type === "running") {
      this.playing = message.playing;
    } else if (message.type === "sought") {
      this.playing = false;
      const tick = message.step * this.scene.frame_skip;
      this.frames = this.frames.filter((frame) => frame[0] < tick);
      this.playhead = tick;
      this.scrub = null;
    } else if (message.type === "closed") {
      this.farewell = message.text;
    }
    on[message.type]?.(message.text && ["error", "closed"].includes(message.type) ? message.text : message);
  }

  #frame(numbers) {
    if (this.expecting || !this.scene) return;
    this.frames.push(numbers);
  }

  get last() { return this.frames.at(-1) || null; }
  get tick() { return this.last ? this.last[0] : 0; }

  /** Move the playhead on by `seconds` towards the newest frame, smoothly: frames come in unevenly. */
  advance(seconds) {
    const target = this.tick - (this.playing ? 1 : 0);
    this.playhead += this.playing ? seconds * this.hz * this.speed : 0;
    const off = target - this.playhead;
    this.playhead += Math.abs(off) > 12 || !this.playing ? off : off * Math.min(1, 6 * seconds);
    this.playhead = Math.max(0, Math.min(this.playhead, this.tick));
  }

  /** {signals, outcome, poseOf} at the playhead, between the two frames next to it; null before the first frame. */
  shown() {
    if (!this.frames.length || !this.scene) return null;
    const tick = this.scrub ?? this.playhead, first = this.frames[0][0];
    const index = Math.max(0, Math.min(this.frames.length - 1, Math.floor(tick - first)));
    const a = this.frames[index], b = this.frames[Math.min(index + 1, this.frames.length - 1)];
    const share = Math.max(0, Math.min(1, tick - a[0])), head = 2 + this.numSignals, count = this.scene.num_shapes;
    const mix = (k) => a[k] + (b[k] - a[k]) * share;
    return {
      tick, outcome: a[1], signals: a.subarray(2, head),
      poseOf: (slot) => [mix(head + slot), mix(head + count + slot), mix(head + 2 * count + slot)],
    };
  }
}
