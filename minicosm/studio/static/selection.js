// What lies under a point, and the handles of what is selected.
import { add, distance, fromSegment, isInside, scaled, toWorld } from "./geometry.js";
import { boundsOfIds, idsOf, keyOf, partOf, thrusterAt } from "./edits.js";
import { extentOf, outlineOf, poseOf, shapeOf, wallsOf, worldOutline } from "./level.js";

const REACH = { mouse: 9, pen: 12, touch: 20 }; // pixels within which a small thing is hit
export const reachOf = (event) => REACH[event?.pointerType] || 9;

/** The shapes under a point, the uppermost first; `reach` (m) counts those that it just misses. */
export function shapesAt(draft, point, reach = 0) {
  const over = (s) => (s.circle != null ? distance(point, s.position) <= s.circle + reach : isInside(point, worldOutline(s)) || (reach > 0 && nearEdge(s, point, reach)));
  const rank = (s) => (s.static ? 0 : 2) + (s.circle != null ? 1 : 0);
  const loose = [...draft.shapes].map((s, i) => [s, i]).filter(([s]) => over(s)).sort(([s, i], [t, k]) => rank(t) - rank(s) || k - i);
  return [...loose.map(([s]) => s), ...wallsOf(draft).filter(over)];
}

/** The key of what lies on top at `point` (m) within `reach` m; null where nothing does. */
export function hit(draft, point, reach) {
  const t = draft.thrusters.findLastIndex((one) => {
    const at = thrusterAt(draft, one), angle = poseOf(shapeOf(draft, one.shape))[2] + one.angle;
    return fromSegment(point, at, toWorld([-0.14, 0], [...at, angle])) < Math.max(reach * 0.8, 0.06);
  });
  if (t >= 0) return keyOf.thruster(t);
  const j = draft.joints.findLastIndex((one) => distance(point, one.at) < Math.max(reach, one.motor ? 0.12 : 0.05));
  if (j >= 0) return keyOf.joint(j);
  const shape = shapesAt(draft, point)[0] || near(draft, point, reach);
  return shape ? keyOf.shape(shape.id) : null;
}

function near(draft, point, reach) {
  return draft.shapes.findLast((s) => (s.circle != null ? distance(point, s.position) < s.circle + reach : nearEdge(s, point, reach)));
}

const nearEdge = (shape, point, reach) => worldOutline(shape).some((a, i, all) => fromSegment(point, a, all[(i + 1) % all.length]) < reach);

/**
 * What `shape` overlaps most, and where: {other, at}; null where it overlaps nothing. Walls come last. Both outlines are convex, so
 * the middle of their overlap lies in it; a circle's own middle is the better place, if it does, too.
 */
export function overlapOf(draft, shape, allowed = () => true) {
  const [left, bottom, right, top] = extentOf(shape), steps = 32, walls = new Set(wallsOf(draft).map((w) => w.id)), found = new Map();
  const under = (point, reach = 0) => shapesAt(draft, point, reach).map((s) => s.id);
  for (let k = 0; k < steps * steps; k++) {
    const point = [left + ((k % steps) + 0.5) * (right - left) / steps, bottom + (Math.floor(k / steps) + 0.5) * (top - bottom) / steps];
    const ids = under(point);
    if (ids.includes(shape.id)) for (const id of ids) found.set(id, [...(found.get(id) || []), point]);
  }
  const others = [...found].filter(([id]) => id !== shape.id && allowed(shapeOf(draft, id)));
  const [best] = others.sort(([a, p], [b, q]) => walls.has(a) - walls.has(b) || q.length - p.length);
  if (!best) return null;
  const other = shapeOf(draft, best[0]), is = (s, hub) => s.circle != null && under(s.position, 1e-3).includes(hub.id);
  const hub = is(shape, other) ? shape : is(other, shape) ? other : null;
  return { other, at: hub ? hub.position : scaled(best[1].reduce(add), 1 / best[1].length) };
}

/** All that lies wholly inside of a box of the world. */
export function inside(draft, [x0, y0], [x1, y1]) {
  const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)], [bottom, top] = [Math.min(y0, y1), Math.max(y0, y1)];
  const has = ([l, b, r, t]) => l >= left && r <= right && b >= bottom && t <= top;
  return draft.shapes.filter((s) => has(extentOf(s))).map((s) => keyOf.shape(s.id));
}

/** The keys that still mean something after `draft` has changed. */
export function pruned(draft, keys) {
  return new Set([...keys].filter((key) => {
    const part = partOf(key);
    if (part.kind === "shape") return Boolean(shapeOf(draft, part.id));
    return part.index < draft[`${part.kind}s`].length;
  }));
}

/** Every key, in the order in which Tab goes through them. */
export function everything(draft) {
  return [...draft.shapes.map((s) => keyOf.shape(s.id)), ...draft.joints.map((_, i) => keyOf.joint(i)), ...draft.thrusters.map((_, i) => keyOf.thruster(i))];
}

/**
 * The handles of a selection: {name, at (m), ...}. A single shape has its corners or its radius; polygons and several shapes
 * have a corner to scale by; all can be turned. A thruster has its direction.
 */
export function handlesOf(draft, keys, camera) {
  const ids = new Set(idsOf(draft, keys)), found = [];
  if (keys.size === 1) {
    const part = partOf([...keys][0]);
    if (part.kind === "thruster") {
      const thruster = draft.thrusters[part.index], at = thrusterAt(draft, thruster);
      const angle = poseOf(shapeOf(draft, thruster.shape))[2] + thruster.angle;
      found.push({ name: "aim", at: toWorld([Math.max(0.3, 46 / camera.scale), 0], [...at, angle]), from: at, index: part.index });
    }
  }
  if (!ids.size) return found;
  const [left, , right, top] = boundsOfIds(draft, ids), up = 30 / camera.scale;
  found.push({ name: "turn", at: [(left + right) / 2, top + up], from: [(left + right) / 2, top] });
  if (ids.size === 1) {
    const shape = shapeOf(draft, [...ids][0]), pose = poseOf(shape);
    if (shape.polygon) {
      const out = 20 / camera.scale, bottom = boundsOfIds(draft, ids)[1];
      found.push({ name: "scale", at: [right + out, bottom - out], from: [right, bottom], pivot: [left, top] });
    }
    if (shape.circle != null) found.push({ name: "radius", at: toWorld([shape.circle, 0], pose) });
    else outlineOf(shape).forEach((corner, index) => found.push({ name: shape.box ? "corner" : "vertex", at: toWorld(corner, pose), index }));
  } else {
    const bottom = boundsOfIds(draft, ids)[1];
    found.push({ name: "scale", at: [right, bottom], pivot: [left, top] });
  }
  return found;
}

export function handleAt(handles, point, reach) {
  return handles.filter((h) => distance(h.at, point) < reach).sort((a, b) => distance(a.at, point) - distance(b.at, point))[0];
}
