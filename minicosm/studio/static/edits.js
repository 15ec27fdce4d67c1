// Changes of a draft. Each takes a draft and gives a new one; nothing is changed in place.
import { about, add, rounded, roundedPoint, scaled, sub, toBody, toWorld } from "./geometry.js";
import { centreOf, extentOf, freeId, isRoomWall, massOf, poseOf, shapeOf, wallsOf } from "./level.js";

export const keyOf = { shape: (id) => `s:${id}`, joint: (i) => `j:${i}`, thruster: (i) => `t:${i}` };

/** What a key of the selection stands for. */
export function partOf(key) {
  const rest = key.slice(2);
  return key[0] === "s" ? { kind: "shape", id: rest } : { kind: key[0] === "j" ? "joint" : "thruster", index: Number(rest) };
}

export function idsOf(draft, keys) {
  const walls = new Set(wallsOf(draft).map((w) => w.id));
  return [...keys].map(partOf).filter((p) => p.kind === "shape" && !walls.has(p.id)).map((p) => p.id);
}

/** The shapes that hang together with these, through joints; walls hold nothing together. */
export function connected(draft, ids) {
  const loose = new Set(draft.shapes.map((s) => s.id)), found = new Set(ids);
  for (let grew = true; grew;) {
    grew = false;
    for (const { a, b } of draft.joints) {
      for (const [one, other] of [[a, b], [b, a]]) {
        if (found.has(one) && loose.has(other) && !found.has(other)) { found.add(other); grew = true; }
      }
    }
  }
  return found;
}

/** Give these shapes other places: `change(shape)` is what becomes of each, `point` what becomes of a joint's pin. */
function transformed(draft, ids, change, point) {
  const walls = new Set(wallsOf(draft).map((w) => w.id)), moves = (id) => ids.has(id) || walls.has(id);
  return {
    ...draft,
    shapes: draft.shapes.map((s) => (ids.has(s.id) ? change(s) : s)),
    joints: draft.joints.map((j) => {
      if ((ids.has(j.a) || ids.has(j.b)) && moves(j.a) && moves(j.b)) return { ...j, at: point(j.at) };
      return ids.has(j.a) || ids.has(j.b) ? { ...j, rest_angle: j.weld ? null : j.rest_angle } : j;
    }),
  };
}

export function moved(draft, ids, delta) {
  const by = (p) => roundedPoint(add(p, delta));
  return transformed(draft, ids, (s) => ({ ...s, position: by(s.position) }), by);
}

export function rotated(draft, ids, pivot, angle) {
  const turn = (p) => roundedPoint(about(p, pivot, angle));
  return transformed(draft, ids, (s) => ({ ...s, position: turn(s.position), rotation: rounded(wrapped(s.rotation + angle)) }), turn);
}

const wrapped = (angle) => (Math.abs(angle) <= Math.PI ? angle : angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI)));

/** Joints and thrusters moved by `delta` on the shapes that they are fixed to. */
export function shifted(draft, keys, delta) {
  return [...keys].map(partOf).reduce((next, { kind, index }) => {
    if (kind === "joint") return jointSet(next, index, { at: roundedPoint(add(next.joints[index].at, delta)) });
    return kind === "thruster" ? thrusterMoved(next, index, add(thrusterAt(next, next.thrusters[index]), delta)) : next;
  }, draft);
}

/** A thruster put to a point of the world. */
export function thrusterMoved(draft, index, at) {
  return thrusterSet(draft, index, { point: roundedPoint(toBody(at, poseOf(shapeOf(draft, draft.thrusters[index].shape)))) });
}

/** Thrusters turned by `angle`. */
export function aimed(draft, keys, angle) {
  return [...keys].map(partOf).filter((p) => p.kind === "thruster").reduce((next, { index }) => thrusterSet(next, index, { angle: rounded(wrapped(next.thrusters[index].angle + angle)) }), draft);
}

export function resized(draft, ids, pivot, factor) {
  const grow = (p) => roundedPoint(add(pivot, scaled(sub(p, pivot), factor)));
  const next = transformed(draft, ids, (s) => ({ ...s, ...outlineTimes(s, factor), position: grow(s.position) }), grow);
  return { ...next, thrusters: next.thrusters.map((t) => (ids.has(t.shape) ? { ...t, point: roundedPoint(scaled(t.point, factor)) } : t)) };
}

function outlineTimes(shape, factor) {
  if (shape.circle != null) return { circle: rounded(shape.circle * factor) };
  if (shape.box) return { box: roundedPoint(scaled(shape.box, factor)) };
  return { polygon: shape.polygon.map((c) => roundedPoint(scaled(c, factor))) };
}

export function shapeSet(draft, id, fields) {
  if (isRoomWall(draft, id)) return { ...draft, room: { ...draft.room, ...("role" in fields ? { [id]: fields.role } : {}), ...("friction" in fields ? { friction: fields.friction } : {}) } };
  const set = (s) => (s.id === id ? { ...s, ...fields } : s);
  return { ...draft, shapes: draft.shapes.map(set), walls: draft.walls && draft.walls.map(set) };
}

/** Another name for a shape, everywhere. The new one must be free. */
export function renamed(draft, id, to) {
  const name = (one) => (one === id ? to : one);
  return {
    ...draft,
    shapes: draft.shapes.map((s) => ({ ...s, id: name(s.id) })),
    walls: draft.walls && draft.walls.map((s) => ({ ...s, id: name(s.id) })),
    joints: draft.joints.map((j) => ({ ...j, a: name(j.a), b: name(j.b) })),
    thrusters: draft.thrusters.map((t) => ({ ...t, shape: name(t.shape) })),
    no_collision: draft.no_collision.map((pair) => pair.map(name)),
  };
}

const replacedAt = (list, index, fields) => list.map((one, i) => (i === index ? { ...one, ...fields } : one));
export const jointSet = (draft, index, fields) => ({ ...draft, joints: replacedAt(draft.joints, index, fields) });
export const thrusterSet = (draft, index, fields) => ({ ...draft, thrusters: replacedAt(draft.thrusters, index, fields) });

/** Remove what the keys name, and what cannot be without it. */
export function removed(draft, keys) {
  const gone = new Set(idsOf(draft, keys)), parts = [...keys].map(partOf);
  const indices = (kind) => new Set(parts.filter((p) => p.kind === kind).map((p) => p.index));
  const joints = indices("joint"), thrusters = indices("thruster");
  return {
    ...draft,
    shapes: draft.shapes.filter((s) => !gone.has(s.id)),
    joints: draft.joints.filter((j, i) => !joints.has(i) && !gone.has(j.a) && !gone.has(j.b)),
    thrusters: draft.thrusters.filter((t, i) => !thrusters.has(i) && !gone.has(t.shape)),
    no_collision: draft.no_collision.filter((pair) => !pair.some((id) => gone.has(id))),
  };
}

export const shapeAdded = (draft, shape) => ({ ...draft, shapes: [...draft.shapes, shape] });

const firstFree = (used, count) => [...Array(count).keys()].find((i) => !used.includes(i)) ?? 0;

/** A pin, weld or motor that holds `b` on `a` at a point of the world. */
export function joined(draft, a, b, at, kind) {
  const used = draft.joints.map((j) => j.motor?.binding), isWheel = (id) => shapeOf(draft, id).circle != null;
  const alike = isWheel(b) && draft.joints.find((j) => j.motor && j.a === a && isWheel(j.b)); // the wheels of a car go together
  const motor = kind === "motor" ? { speed: 8, torque: rounded(Math.max(0.5, 6 * massOf(shapeOf(draft, b)))), binding: alike ? alike.motor.binding : firstFree(used, 4) } : null;
  const joint = { a, b, at: roundedPoint(at), weld: kind === "weld", limits: null, rest_angle: null, spring: null, motor };
  return { ...draft, joints: [...draft.joints, joint] };
}

/** A thruster at a point of the world that pushes towards `angle`, strong enough to lift what hangs together. */
export function thrusterAdded(draft, id, at, angle) {
  const shape = shapeOf(draft, id), pose = poseOf(shape), group = connected(draft, [id]);
  const mass = draft.shapes.filter((s) => group.has(s.id) && !s.static).reduce((sum, s) => sum + massOf(s), 0);
  const weight = mass * Math.hypot(...draft.gravity);
  const binding = firstFree(draft.thrusters.map((t) => t.binding), 2);
  const thruster = { shape: id, point: roundedPoint(toBody(at, pose)), angle: rounded(angle - pose[2]), force: rounded(Math.max(0.5, 1.7 * weight || 4 * mass)), binding };
  return { ...draft, thrusters: [...draft.thrusters, thruster] };
}

/** What a copy holds: the shapes, and the joints and thrusters between them. */
export function copied(draft, keys) {
  const ids = new Set(idsOf(draft, keys));
  if (!ids.size) return null;
  const walls = new Set(wallsOf(draft).map((w) => w.id)), kept = (id) => ids.has(id) || walls.has(id);
  return structuredClone({
    shapes: draft.shapes.filter((s) => ids.has(s.id)),
    joints: draft.joints.filter((j) => (ids.has(j.a) || ids.has(j.b)) && kept(j.a) && kept(j.b)),
    thrusters: draft.thrusters.filter((t) => ids.has(t.shape)),
    no_collision: draft.no_collision.filter((pair) => pair.every((id) => ids.has(id))),
  });
}

/** The copy put in, moved by `delta`; comes with the keys of the new shapes. */
export function pasted(draft, clip, delta) {
  const walls = new Set(wallsOf(draft).map((w) => w.id)), names = new Map();
  let next = draft;
  for (const shape of clip.shapes) {
    const id = freeId(next, shape.id.replace(/_\d+$/, "").slice(0, 50));
    names.set(shape.id, id);
    next = shapeAdded(next, { ...structuredClone(shape), id, position: roundedPoint(add(shape.position, delta)) });
  }
  const name = (id) => names.get(id) ?? id;
  const there = (id) => names.has(id) || walls.has(id);
  const joints = clip.joints.filter((j) => there(j.a) && there(j.b)).map((j) => ({ ...structuredClone(j), a: name(j.a), b: name(j.b), at: roundedPoint(add(j.at, delta)) }));
  const thrusters = clip.thrusters.map((t) => ({ ...structuredClone(t), shape: name(t.shape) }));
  next = {
    ...next, joints: [...next.joints, ...joints], thrusters: [...next.thrusters, ...thrusters],
    no_collision: [...next.no_collision, ...clip.no_collision.map((pair) => pair.map(name))],
  };
  return [next, [...names.values()].map(keyOf.shape)];
}

/** The box round the shapes, [left, bottom, right, top]. */
export function boundsOfIds(draft, ids) {
  const boxes = draft.shapes.filter((s) => ids.has(s.id)).map(extentOf);
  return [0, 1, 2, 3].map((side) => Math[side < 2 ? "min" : "max"](...boxes.map((box) => box[side])));
}

/** About what a selection is turned. */
export function pivotOf(draft, ids) {
  if (ids.size === 1) return centreOf(shapeOf(draft, [...ids][0]));
  const [left, bottom, right, top] = boundsOfIds(draft, ids);
  return [(left + right) / 2, (bottom + top) / 2];
}

export const thrusterAt = (draft, thruster) => toWorld(thruster.point, poseOf(shapeOf(draft, thruster.shape)));
