// A level while it is drawn: like its file (docs/physics-levels.md) with every field there, and joints held in the world.
import { area, boundsOf, centroid, roundedPoint, sub, toBody, toWorld, distance, middle, rounded } from "./geometry.js";

export const ROLES = ["scenery", "green", "blue", "red"];
const ROOM = { size: [5, 5], friction: 0.6, restitution: 0, floor: "scenery", ceiling: "scenery", left_wall: "scenery", right_wall: "scenery" };
const WALLS = ["floor", "ceiling", "left_wall", "right_wall"];
const SHAPE = { position: [0, 0], rotation: 0, role: "scenery", static: false, density: 1, friction: 0.6, restitution: 0, velocity: [0, 0], angular_velocity: 0 };
const HEAD = { name: "", author: "", description: "", difficulty: null, gravity: [0, -9.81] };

const copy = (value) => structuredClone(value);

export const empty = () => ({ ...copy(HEAD), room: copy(ROOM), walls: null, shapes: [], joints: [], thrusters: [], no_collision: [] });
export const newShape = (fields) => ({ ...copy(SHAPE), ...fields });

/** A file's object as a draft. The server has found it valid before. */
export function fromFile(file) {
  const draft = { ...empty(), ...copy(file) };
  delete draft.format; delete draft.version;
  draft.room = { ...copy(ROOM), ...(file.room || {}) };
  draft.shapes = draft.shapes.map(newShape);
  if (draft.walls) draft.walls = draft.walls.map((wall) => newShape({ ...wall, static: true }));
  draft.joints = draft.joints.map((joint) => {
    const { anchor_a, anchor_b, ...rest } = joint;
    const full = { weld: false, limits: null, rest_angle: null, spring: null, motor: null, ...rest };
    if (!full.at) {
      const a = toWorld(anchor_a, poseOf(shapeOf(draft, joint.a))), b = toWorld(anchor_b, poseOf(shapeOf(draft, joint.b)));
      full.at = distance(a, b) < 1e-3 ? a : middle(a, b);
    }
    if (full.motor) full.motor = { binding: 0, ...full.motor };
    if (full.spring) full.spring = { damping: 0.7, ...full.spring };
    return full;
  });
  draft.thrusters = draft.thrusters.map((t) => ({ point: [0, 0], angle: 0, binding: 0, ...t }));
  return draft;
}

/** The draft as the object of a file, with what is as usual left out. */
export function toFile(draft) {
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const without = (object, usual) => Object.fromEntries(Object.entries(object).filter(([k, v]) => v !== null && v !== undefined && !same(v, usual[k])));
  const shape = (s) => without(s, SHAPE);
  const file = { format: "minicosm-physics-level", version: 1, ...without(pick(draft, Object.keys(HEAD)), HEAD) };
  if (draft.walls) file.walls = draft.walls.map(shape);
  else if (!same(draft.room, ROOM)) file.room = without(draft.room, ROOM);
  file.shapes = draft.shapes.map(shape);
  if (draft.joints.length) file.joints = draft.joints.map((j) => without(j, { weld: false }));
  if (draft.thrusters.length) file.thrusters = draft.thrusters.map((t) => without(t, { point: [0, 0], angle: 0, binding: 0 }));
  if (draft.no_collision.length) file.no_collision = draft.no_collision;
  return file;
}

const pick = (object, names) => Object.fromEntries(names.map((name) => [name, object[name]]));

export const poseOf = (shape) => [shape.position[0], shape.position[1], shape.rotation];

/** Corners about the shape's origin; null for a circle. */
export function outlineOf(shape) {
  if (shape.circle != null) return null;
  if (shape.polygon) return shape.polygon;
  const [w, h] = [shape.box[0] / 2, shape.box[1] / 2];
  return [[-w, -h], [w, -h], [w, h], [-w, h]];
}

export const worldOutline = (shape) => outlineOf(shape)?.map((corner) => toWorld(corner, poseOf(shape)));

export function centreOf(shape) {
  return shape.polygon ? toWorld(centroid(shape.polygon), poseOf(shape)) : shape.position;
}

export function massOf(shape) {
  return shape.density * (shape.circle != null ? Math.PI * shape.circle ** 2 : Math.abs(area(outlineOf(shape))));
}

/** The walls as shapes, whether a room's or listed. */
export function wallsOf(draft) {
  if (draft.walls) return draft.walls;
  const { size: [w, h] } = draft.room;
  const wall = (id, box, position) => newShape({ id, box, position, static: true, role: draft.room[id], friction: draft.room.friction });
  return [
    wall("floor", [w + 2, 1], [w / 2, -0.5]), wall("ceiling", [w + 2, 1], [w / 2, h + 0.5]),
    wall("left_wall", [1, h], [-0.5, h / 2]), wall("right_wall", [1, h], [w + 0.5, h / 2]),
  ];
}

export const isRoomWall = (draft, id) => !draft.walls && WALLS.includes(id);
export const shapeOf = (draft, id) => draft.shapes.find((s) => s.id === id) || wallsOf(draft).find((s) => s.id === id);

export function freeId(draft, kind) {
  const taken = new Set([...draft.shapes, ...wallsOf(draft)].map((s) => s.id));
  let n = 1;
  while (taken.has(`${kind}_${n}`)) n += 1;
  return `${kind}_${n}`;
}

export function extentOf(shape) {
  const corners = worldOutline(shape);
  if (corners) return boundsOf(corners);
  const [x, y] = shape.position, r = shape.circle;
  return [x - r, y - r, x + r, y + r];
}

/** What a camera should show at first: the room, or all that is there. */
export function viewOf(draft) {
  if (!draft.walls) return [-0.15, -0.15, draft.room.size[0] + 0.15, draft.room.size[1] + 0.15];
  return [-0.15, -0.15, 5.15, 5.15];
}

/** The scene that `paint` draws, and its poses: the walls, then the shapes. */
export function sceneOf(draft) {
  const walls = wallsOf(draft), all = [...walls, ...draft.shapes];
  const slot = new Map(all.map((s, i) => [s.id, i]));
  const shapes = all.map((s, i) => {
    const centre = s.polygon ? centroid(s.polygon) : [0, 0];
    const outline = outlineOf(s)?.map((c) => sub(c, centre));
    return { slot: i, id: s.id, role: s.role, static: s.static, wall: i < walls.length, radius: s.circle, outline };
  });
  const poses = all.map((s) => [...centreOf(s), s.rotation]);
  const joints = draft.joints.map((j) => {
    const a = slot.get(j.a);
    return { a, b: slot.get(j.b), anchor: toBody(j.at, poses[a]), weld: j.weld, motor: j.motor };
  });
  const thrusters = draft.thrusters.map((t) => {
    const owner = all[slot.get(t.shape)], centre = owner.polygon ? centroid(owner.polygon) : [0, 0];
    return { shape: slot.get(t.shape), point: sub(t.point, centre), angle: t.angle, binding: t.binding };
  });
  return { shapes, joints, thrusters, poses, room: draft.walls ? ROOM.size : draft.room.size };
}

/** Let the polygon's origin be its centroid, so that numbers make sense and it turns about its middle. */
export function centred(shape) {
  if (!shape.polygon) return shape;
  const anticlockwise = area(shape.polygon) < 0 ? [...shape.polygon].reverse() : shape.polygon;
  const centre = centroid(anticlockwise);
  return { ...shape, polygon: anticlockwise.map((c) => roundedPoint(sub(c, centre))), position: roundedPoint(toWorld(centre, poseOf(shape))) };
}

export function tidied(draft) {
  const round = (s) => ({ ...s, position: roundedPoint(s.position), rotation: rounded(s.rotation) });
  return { ...draft, shapes: draft.shapes.map(round), joints: draft.joints.map((j) => ({ ...j, at: roundedPoint(j.at) })) };
}

