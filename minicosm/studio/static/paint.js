// Pictures of a scene, in the look of the engine's own films: shapes, joints, thrusters, and the keys that drive them.
import { boundsOf, toWorld, turned } from "./geometry.js";

const PIN = 0.065, MOTOR = 0.125, WELD = 0.07, NOZZLE = 0.14, RIM = 0.022, MARK = 0.11; // m, as in the films

export const css = (colour, alpha = 1) => `rgb(${colour[0]} ${colour[1]} ${colour[2]} / ${alpha})`;
const dimmed = (colour, share) => colour.map((c) => Math.round(c * share));

export function bindingColour(theme, kind, binding, numMotors) {
  if (binding === "automatic") return theme.automatic;
  return theme.bindings[((kind === "thruster" ? numMotors : 0) + binding) % theme.bindings.length];
}

/**
 * Draw `scene` on `ctx`, whose pixels are the page's. `look` has theme, signals (or null), numMotors, and may have labels:
 * {motor: binding -> text, thruster: binding -> text}. `poseOf(slot)` is [x, y, rotation].
 */
export function paintScene(ctx, camera, scene, poseOf, look) {
  paintWalls(ctx, camera, scene, poseOf, look.theme);
  const ordered = scene.shapes.filter((shape) => !shape.wall).sort((a, b) => rank(a) - rank(b));
  for (const shape of ordered) paintShape(ctx, camera, shape, poseOf(shape.slot), look.theme);
  for (const joint of scene.joints) paintJoint(ctx, camera, scene, joint, poseOf, look);
  for (const thruster of scene.thrusters) paintThruster(ctx, camera, thruster, poseOf, look);
  if (look.labels) for (const [at, text, colour] of labelsOf(camera, scene, poseOf, look)) paintKey(ctx, at, text, colour, look.theme);
}

const rank = (shape) => (shape.static ? 0 : 2) + (shape.outline ? (shape.static ? 1 : 0) : (shape.static ? 0 : 1));

export function paintGround(ctx, camera, theme, grid = 0) {
  ctx.fillStyle = css(theme.ground);
  ctx.fillRect(0, 0, camera.width, camera.height);
  const step = grid && grid * camera.scale > 7 ? grid : 0;
  if (step) gridLines(ctx, camera, step, css(theme.grid, 0.75), 1);
  if (camera.scale > 7) gridLines(ctx, camera, 1, css(dimmed(theme.grid, theme.ground[0] > 128 ? 0.96 : 1.2)), 1.5);
}

function gridLines(ctx, camera, step, colour, width) {
  const [left, top] = camera.toWorld([0, 0]), [right, bottom] = camera.toWorld([camera.width, camera.height]);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.beginPath();
  for (let x = Math.ceil(left / step) * step; x <= right; x += step) {
    const px = Math.round(camera.toScreen([x, 0])[0]) + 0.5;
    ctx.moveTo(px, 0); ctx.lineTo(px, camera.height);
  }
  for (let y = Math.ceil(bottom / step) * step; y <= top; y += step) {
    const py = Math.round(camera.toScreen([0, y])[1]) + 0.5;
    ctx.moveTo(0, py); ctx.lineTo(camera.width, py);
  }
  ctx.stroke();
}

export function tracePath(ctx, camera, shape, pose, grow = 0) {
  ctx.beginPath();
  if (shape.outline) {
    shape.outline.forEach((corner, i) => ctx[i ? "lineTo" : "moveTo"](...camera.toScreen(toWorld(corner, pose))));
    ctx.closePath();
  } else {
    ctx.arc(...camera.toScreen(pose), Math.max(0, shape.radius * camera.scale + grow), 0, 7);
  }
}

const BAND = 0.35; // m of a wall that show its role

/** The room's walls reach to the edge of the picture and have one outline; what is green, blue or red is so near the room. */
function paintWalls(ctx, camera, { shapes, room }, poseOf, theme) {
  const walls = shapes.filter((shape) => shape.wall);
  if (!walls.length) return;
  if (!walls[0].frame) framed(walls, room, poseOf);
  const trace = (outline) => tracePath(ctx, camera, { outline }, [0, 0, 0]);
  const fill = (colour) => { ctx.fillStyle = ctx.strokeStyle = css(colour); ctx.fill(); ctx.stroke(); };
  ctx.strokeStyle = css(theme.fixed_edge);
  ctx.lineWidth = 2 * Math.max(1, RIM * camera.scale);
  ctx.lineJoin = "round";
  for (const wall of walls) { trace(wall.frame.far); ctx.stroke(); }
  ctx.lineWidth = 1; // no hair line where two walls meet
  for (const wall of walls) { trace(wall.frame.far); fill(theme.fixed); }
  for (const wall of walls) {
    if (wall.role === "scenery") continue;
    ctx.save();
    trace(wall.frame.near);
    fill(theme[wall.role]);
    ctx.clip();
    if (wall.role === "red") stripes(ctx, camera, { outline: wall.frame.near }, [0, 0, 0], theme);
    ctx.restore();
  }
}

/** Upright boxes' outlines, their sides at the room's border or beyond moved out (`far`), or in to a band (`near`). */
function framed(walls, room, poseOf) {
  for (const wall of walls) {
    const outline = wall.outline.map((corner) => toWorld(corner, poseOf(wall.slot))), box = boundsOf(outline);
    const is = (v, side) => Math.abs(v - side) < 1e-3;
    const isUpright = outline.every((corner) => corner.every((v, axis) => is(v, box[axis]) || is(v, box[axis + 2])));
    const each = (move) => (isUpright ? outline.map((corner) => corner.map(move)) : outline);
    const far = (v, axis) => (is(v, box[axis]) && v < 0.01 ? v - 9 : is(v, box[axis + 2]) && v > room[axis] - 0.01 ? v + 9 : v);
    wall.frame = { far: each(far), near: each((v, axis) => Math.max(-BAND, Math.min(room[axis] + BAND, v))) };
  }
}

function paintShape(ctx, camera, shape, pose, theme) {
  const fill = shape.role === "scenery" ? (shape.static ? theme.fixed : theme.loose) : theme[shape.role];
  const edge = shape.static ? theme.fixed_edge : shape.role === "scenery" ? theme.loose_edge : dimmed(fill, 0.62);
  const rim = Math.max(1, RIM * camera.scale);
  ctx.save();
  tracePath(ctx, camera, shape, pose);
  if (!shape.static) {
    ctx.shadowColor = css(theme.shadow, theme.shadow_strength);
    ctx.shadowBlur = 0.1 * camera.scale * devicePixelRatio;
    ctx.shadowOffsetX = 0.025 * camera.scale * devicePixelRatio;
    ctx.shadowOffsetY = 0.045 * camera.scale * devicePixelRatio;
  }
  ctx.fillStyle = css(fill);
  ctx.fill();
  ctx.restore();
  ctx.save();
  tracePath(ctx, camera, shape, pose);
  ctx.clip();
  if (shape.role === "red") stripes(ctx, camera, shape, pose, theme);
  ctx.strokeStyle = css(edge);
  ctx.lineWidth = 2 * rim;
  ctx.lineJoin = "round";
  tracePath(ctx, camera, shape, pose);
  ctx.stroke();
  ctx.restore();
  const room = shape.outline ? insideRadius(shape.outline) : shape.radius;
  if (!shape.outline) {
    const [x, y] = camera.toScreen(pose), end = camera.toScreen(toWorld([shape.radius, 0], pose));
    ctx.strokeStyle = css(edge, 0.8);
    ctx.lineWidth = rim;
    ctx.beginPath(); ctx.moveTo(x, y); ctx.lineTo(...end); ctx.stroke();
  }
  mark(ctx, camera, shape, pose, Math.min(MARK, 0.45 * room) * camera.scale, theme);
}

function insideRadius(outline) {
  return Math.min(...outline.map((a, i) => {
    const b = outline[(i + 1) % outline.length], dx = b[0] - a[0], dy = b[1] - a[1];
    return Math.abs(a[0] * dy - a[1] * dx) / Math.hypot(dx, dy);
  }));
}

function stripes(ctx, camera, shape, pose, theme) {
  const reach = shape.outline ? Math.max(...shape.outline.map((c) => Math.hypot(...c))) : shape.radius; // enough, not least
  const period = 0.2, half = period / 4;
  ctx.fillStyle = css(theme.stripe, 0.35);
  for (let k = -Math.ceil(reach / period); k <= Math.ceil(reach / period); k++) {
    ctx.beginPath();
    const corners = [[k * period - half, -reach], [k * period + half, -reach], [k * period + half, reach], [k * period - half, reach]];
    corners.forEach((c, i) => ctx[i ? "lineTo" : "moveTo"](...camera.toScreen(toWorld(turned(c, Math.PI / 4), pose))));
    ctx.fill();
  }
}

/** What tells roles apart without colours: a dot is to meet a ring. */
function mark(ctx, camera, shape, pose, radius, theme) {
  if (radius < 3 || (shape.role !== "green" && shape.role !== "blue")) return;
  ctx.beginPath();
  ctx.fillStyle = ctx.strokeStyle = css(theme.glyph, 0.92);
  ctx.arc(...camera.toScreen(pose), (shape.role === "green" ? 0.8 : 0.85) * radius, 0, 7);
  if (shape.role === "green") ctx.fill();
  else { ctx.lineWidth = 0.44 * radius; ctx.stroke(); }
}

const signalOf = (look, kind, binding) => {
  if (binding === "automatic") return look.signals ? 1 : 0;
  return look.signals ? look.signals[(kind === "thruster" ? look.numMotors : 0) + binding] || 0 : 0;
};

function paintJoint(ctx, camera, scene, joint, poseOf, look) {
  const at = camera.toScreen(toWorld(joint.anchor, poseOf(joint.a))), { theme } = look, scale = camera.scale;
  const bySlot = (slot) => scene.shapes.find((s) => s.slot === slot);
  const room = Math.min(...[joint.a, joint.b].map((slot) => (bySlot(slot)?.outline ? Infinity : 0.62 * (bySlot(slot)?.radius ?? 1))));
  const ring = Math.max(4, Math.min(MOTOR, room) * scale);
  if (joint.motor) {
    const turn = signalOf(look, "motor", joint.motor.binding) * Math.sign(joint.motor.speed);
    motorRing(ctx, at, ring, turn, bindingColour(theme, "motor", joint.motor.binding, look.numMotors));
  }
  ctx.fillStyle = css(theme.metal);
  ctx.beginPath();
  if (joint.weld) {
    const half = WELD * scale;
    ctx.fillRect(at[0] - half, at[1] - half, 2 * half, 2 * half);
    ctx.strokeStyle = css(theme.glyph);
    ctx.lineWidth = Math.max(1, 0.3 * half);
    const arm = 0.55 * half;
    ctx.moveTo(at[0] - arm, at[1] - arm); ctx.lineTo(at[0] + arm, at[1] + arm);
    ctx.moveTo(at[0] - arm, at[1] + arm); ctx.lineTo(at[0] + arm, at[1] - arm);
    ctx.stroke();
  } else {
    const pin = Math.min(PIN * scale, 0.6 * ring);
    ctx.arc(...at, pin, 0, 7); ctx.fill();
    ctx.beginPath();
    ctx.fillStyle = css(theme.glyph);
    ctx.arc(...at, 0.5 * pin, 0, 7); ctx.fill();
  }
}

function motorRing(ctx, at, radius, turn, colour) {
  const half = 0.19 * radius, strength = Math.min(1, 4 * Math.abs(turn)), way = turn < 0 ? 1 : -1; // screen angles run clockwise
  for (const [tone, wider] of [[dimmed(colour, 0.4), 0.9 * half], [colour, 0]]) {
    ctx.strokeStyle = ctx.fillStyle = css(tone);
    ctx.lineWidth = 2 * half + wider;
    if (strength < 0.05) {
      ctx.beginPath(); ctx.arc(...at, radius, 0, 7); ctx.stroke();
      continue;
    }
    for (const start of [0, Math.PI]) {
      const from = start + way * 0.35, to = start + way * (Math.PI - 0.85);
      ctx.beginPath(); ctx.arc(...at, radius, from, to, way < 0); ctx.stroke();
      const tip = to + way * 0.62, size = 2.1 * half + wider / 2;
      ctx.beginPath();
      ctx.moveTo(at[0] + radius * Math.cos(tip), at[1] + radius * Math.sin(tip));
      for (const side of [-1, 1]) ctx.lineTo(at[0] + (radius + side * size) * Math.cos(to), at[1] + (radius + side * size) * Math.sin(to));
      ctx.fill();
    }
  }
}

function paintThruster(ctx, camera, thruster, poseOf, look) {
  const pose = poseOf(thruster.shape), at = toWorld(thruster.point, pose), angle = pose[2] + thruster.angle, { theme } = look;
  const frame = [at[0], at[1], angle], place = (behind, aside) => camera.toScreen(toWorld([-behind, aside], frame));
  const path = (points) => { ctx.beginPath(); points.forEach((p, i) => ctx[i ? "lineTo" : "moveTo"](...place(...p))); ctx.closePath(); };
  const power = Math.max(0, Math.min(1, signalOf(look, "thruster", thruster.binding)));
  if (power > 0) {
    const flicker = 0.92 + 0.08 * Math.sin(performance.now() / 23), tall = (0.12 + 0.42 * power) * flicker;
    for (const [colour, share, wide] of [[theme.flame, 1, 0.085], [theme.flame_core, 0.62, 0.05]]) {
      ctx.fillStyle = css(colour);
      ctx.beginPath();
      ctx.moveTo(...place(NOZZLE, -wide * 0.75));
      ctx.quadraticCurveTo(...place(NOZZLE + 0.45 * tall * share, -wide * 1.5), ...place(NOZZLE + tall * share, 0));
      ctx.quadraticCurveTo(...place(NOZZLE + 0.45 * tall * share, wide * 1.5), ...place(NOZZLE, wide * 0.75));
      ctx.fill();
    }
  }
  path([[0, 0.05], [NOZZLE, 0.106], [NOZZLE, -0.106], [0, -0.05]]);
  ctx.fillStyle = css(bindingColour(theme, "thruster", thruster.binding, look.numMotors));
  ctx.fill();
  ctx.strokeStyle = css(theme.metal);
  ctx.lineWidth = Math.max(1, RIM * camera.scale);
  ctx.stroke();
}

/** Where each motor's and thruster's keys are written: [pixels, text, colour]. */
function labelsOf(camera, scene, poseOf, look) {
  const found = [];
  for (const joint of scene.joints) {
    const text = joint.motor && look.labels.motor(joint.motor.binding);
    if (text) found.push([above(camera.toScreen(toWorld(joint.anchor, poseOf(joint.a))), 26), text, bindingColour(look.theme, "motor", joint.motor.binding, look.numMotors)]);
  }
  for (const thruster of scene.thrusters) {
    const text = look.labels.thruster(thruster.binding), pose = poseOf(thruster.shape);
    const at = toWorld(thruster.point, pose), angle = pose[2] + thruster.angle;
    const outer = thruster.point[1] * Math.cos(thruster.angle) - thruster.point[0] * Math.sin(thruster.angle) < 0 ? -0.24 : 0.24; // away from the middle
    const beside = camera.toScreen(toWorld([-0.07, outer], [...at, angle]));
    if (text) found.push([beside, text, bindingColour(look.theme, "thruster", thruster.binding, look.numMotors)]);
  }
  found.forEach(([at], i) => { // none lies on another
    while (found.slice(0, i).some(([other]) => Math.abs(other[0] - at[0]) < 40 && Math.abs(other[1] - at[1]) < 22)) at[0] += 42;
  });
  return found;
}

const above = (point, pixels) => [point[0], point[1] - pixels];

function paintKey(ctx, [x, y], text, colour, theme) {
  ctx.font = "700 12px system-ui, sans-serif";
  const width = Math.max(20, ctx.measureText(text).width + 12);
  ctx.beginPath();
  ctx.roundRect(x - width / 2, y - 10, width, 20, 6);
  ctx.fillStyle = css(theme.ground, 0.94);
  ctx.fill();
  ctx.lineWidth = 2;
  ctx.strokeStyle = css(colour);
  ctx.stroke();
  ctx.fillStyle = css(theme.text);
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(text, x, y + 0.5);
}
