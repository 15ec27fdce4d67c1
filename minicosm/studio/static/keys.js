// Which keys drive what. Digits always do; arrows drive the first controls that the level has.

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];
const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const PAIRS = [["ArrowLeft", "ArrowRight"], ["ArrowUp", "ArrowDown"]];

export const nameOf = (key) => NAMES[key] || key;

/**
 * The controls of a scene: {kind, binding, keys: [{key, value}, ...], digits: [...]}. → turns the first motor of a binding
 * clockwise, so that wheels roll to the right.
 */
export function controlsOf(scene, poseOf, numMotors) {
  const found = [];
  const motors = new Map(), thrusters = new Map();
  for (const joint of scene.joints) if (joint.motor && joint.motor.binding !== "automatic" && !motors.has(joint.motor.binding)) motors.set(joint.motor.binding, joint);
  for (const t of scene.thrusters) if (t.binding !== "automatic" && !thrusters.has(t.binding)) thrusters.set(t.binding, t);
  const arrows = [...PAIRS];
  for (const [binding, joint] of [...motors].sort(([a], [b]) => a - b)) {
    const clockwise = joint.motor.speed > 0 ? -1 : 1;
    const digits = [[DIGITS[2 * binding], -clockwise], [DIGITS[2 * binding + 1], clockwise]].filter(([key]) => key);
    const pair = arrows.shift();
    const keys = pair ? [[pair[0], -clockwise], [pair[1], clockwise]] : [];
    found.push({ kind: "motor", binding, signal: binding, keys, digits });
  }
  const jets = [...thrusters].sort(([a, s], [b, t]) => (arrows.length === 2 ? xOf(s, poseOf) - xOf(t, poseOf) || a - b : a - b));
  const free = arrows.length === 2 && jets.length === 1 ? ["ArrowUp"] : arrows.flat();
  if (arrows.length === 1) free.splice(0, 2, "ArrowUp", "ArrowDown");
  for (const [binding] of jets) {
    const key = free.shift();
    found.push({ kind: "thruster", binding, signal: numMotors + binding, keys: key ? [[key, 1]] : [], digits: binding < 2 ? [[DIGITS[8 + binding], 1]] : [] });
  }
  return found;
}

const xOf = (thruster, poseOf) => {
  const pose = poseOf(thruster.shape);
  return pose[0] + thruster.point[0] * Math.cos(pose[2]) - thruster.point[1] * Math.sin(pose[2]);
};

/** What to write on a motor or thruster of that binding: its arrows, else its digits. */
export function labelOf(controls, kind, binding) {
  const control = controls.find((c) => c.kind === kind && c.binding === binding);
  if (!control) return "";
  return (control.keys.length ? control.keys : control.digits).map(([key]) => nameOf(key)).join(" ");
}

/** Collects what is held down, by keys and by the buttons on the screen. */
export class Held {
  constructor(count, changed) {
    this.count = count;
    this.changed = changed;
    this.down = new Map(); // source -> [signal, value]
    this.controls = [];
  }

  use(controls) {
    this.release();
    this.controls = controls;
  }

  /** Whether the key drives something; then it is held until `up`. */
  press(key) {
    for (const control of this.controls) {
      for (const [name, value] of [...control.keys, ...control.digits]) if (name === key) return this.hold(`key ${key}`, control.signal, value);
    }
    return false;
  }

  hold(source, signal, value) {
    if (!this.down.has(source)) {
      this.down.set(source, [signal, value]);
      this.changed(this.signals());
    }
    return true;
  }

  up(source) { if (this.down.delete(source)) this.changed(this.signals()); }

  release() {
    this.down.clear();
    this.changed(this.signals());
  }

  signals() {
    const signals = Array(this.count).fill(0);
    for (const [signal, value] of this.down.values()) signals[signal] = Math.max(-1, Math.min(1, signals[signal] + value));
    return signals;
  }
}
