// What pointers do with each tool. A tool has press, drag, release and cancel; points are in metres.
import { add, distance, hull, rounded, roundedPoint, sub, toBody, toGrid, toWorld, length } from "./geometry.js";
import * as edits from "./edits.js";
import { centred, centreOf, extentOf, freeId, newShape, outlineOf, poseOf, shapeOf } from "./level.js";
import { handleAt, handlesOf, hit, inside, overlapOf, reachOf, shapesAt } from "./selection.js";

export const TOOLS = [
  { name: "select", letter: "V", title: "Select, move, turn, resize", icon: '<path d="m5 4 6 16 2.5-6.5L20 11z"/>' },
  { name: "circle", letter: "C", title: "Circle: press in its middle and drag", icon: '<circle cx="12" cy="12" r="7.5"/>' },
  { name: "box", letter: "B", title: "Box: drag from corner to corner", icon: '<rect x="4.5" y="6.5" width="15" height="11" rx="1"/>' },
  { name: "triangle", letter: "T", title: "Triangle: drag from corner to corner", icon: '<path d="M12 5 20 18H4z"/>' },
  { name: "polygon", letter: "P", title: "Free shape: click three or four corners", icon: '<path d="m6 17-1-8 8-5 6 12z"/>' },
  { name: "pin", letter: "J", title: "Pin: click where two shapes overlap", icon: '<circle cx="12" cy="12" r="6.5"/><circle cx="12" cy="12" r="2" class="fill"/>', after: true },
  { name: "motor", letter: "M", title: "Motor: a pin that turns, click where two shapes overlap", icon: '<path d="M5 13a7 7 0 0 1 12-6m2 4a7 7 0 0 1-12 6M17 3v4h-4M7 21v-4h4"/><circle cx="12" cy="12" r="1.6" class="fill"/>' },
  { name: "weld", letter: "W", title: "Weld: holds two shapes as they are, click where they overlap", icon: '<rect x="6" y="6" width="12" height="12" rx="2"/><path d="m9.5 9.5 5 5m0-5-5 5"/>' },
  { name: "thruster", letter: "F", title: "Thruster: press on a shape and drag where it shall push", icon: '<path d="M9 4h6l2 8H7zM10 15l-1 3m3-3v5m2-5 1 3"/>' },
];

const JOINTS = ["pin", "motor", "weld"];
const USUAL_POLYGON = [[-0.3, -0.2], [0.3, -0.2], [0.2, 0.2], [-0.2, 0.2]]; // m
const SMALL = 5; // pixels: a press that moved less is a click

export class Tools {
  /** `editor` has draft, selection, camera, snap, change(draft, group), select(keys), hint(text) and finished(). */
  constructor(editor) {
    this.editor = editor;
    this.doing = null;
    this.corners = []; // of a polygon in the making
    this.pointer = null;
  }

  press(point, event) {
    const { tool } = this.editor;
    this.start = point;
    this.base = this.editor.draft;
    if (tool === "select") this.doing = this.#pressSelect(point, event);
    else if (tool === "polygon") this.#corner(point, event);
    else if (JOINTS.includes(tool)) this.#join(point, tool);
    else if (tool === "thruster") this.doing = this.#thruster(point);
    else this.doing = this.#make(tool, this.#snapped(point, event));
  }

  drag(point, event) { this.doing?.drag?.(point, event); }

  release(point, event) {
    this.doing?.release?.(point, event);
    this.doing = null;
    this.editor.seal();
  }

  cancel() {
    if (this.doing && this.editor.draft !== this.base) this.editor.change(this.base, "cancel");
    this.doing = null;
    this.corners = [];
    this.editor.seal();
  }

  #snapped(point, event) {
    const { snap } = this.editor;
    return snap && !event?.ctrlKey && !event?.metaKey ? point.map((v) => toGrid(v, snap)) : point;
  }

  #isClick(point) { return distance(this.start, point) * this.editor.camera.scale < SMALL; }

  // -- select ---------------------------------------------------------------------------------------------------

  #pressSelect(point, event) {
    const { editor } = this, reach = reachOf(event) / editor.camera.scale;
    const handle = handleAt(handlesOf(editor.draft, editor.selection, editor.camera), point, 1.4 * reach);
    if (handle) return this.#handle(handle);
    const key = hit(editor.draft, point, reach * 0.6);
    if (event.shiftKey && key) {
      const keys = new Set(editor.selection);
      keys.has(key) ? keys.delete(key) : keys.add(key);
      editor.select(keys);
      return null;
    }
    const isFrame = key && edits.partOf(key).kind === "shape" && !edits.idsOf(editor.draft, [key]).length;
    if (!key || isFrame) return this.#marquee(isFrame ? key : null, event.shiftKey);
    const wasSelected = editor.selection.has(key);
    if (!wasSelected) editor.select([key]);
    return this.#move(key, wasSelected);
  }

  #marquee(key, adds) {
    const { editor } = this, before = adds ? [...editor.selection] : [];
    return {
      drag: (point) => {
        editor.marquee = [this.start, point];
        editor.select([...before, ...inside(editor.draft, this.start, point)]);
      },
      release: (point) => {
        editor.marquee = null;
        if (this.#isClick(point)) editor.select(key ? [key] : before);
        editor.redraw();
      },
    };
  }

  #move(key, wasSelected) {
    const { editor, base } = this, part = edits.partOf(key);
    const chosen = new Set(edits.idsOf(base, editor.selection));
    let hasMoved = false;
    return {
      drag: (point, event) => {
        if (!hasMoved && this.#isClick(point)) return;
        hasMoved = true;
        if (part.kind === "joint") return editor.change(edits.jointSet(base, part.index, { at: roundedPoint(this.#snapped(point, event)) }), "drag");
        if (part.kind === "thruster") {
          const pose = poseOf(shapeOf(base, base.thrusters[part.index].shape));
          return editor.change(edits.thrusterSet(base, part.index, { point: roundedPoint(toBody(point, pose)) }), "drag");
        }
        const ids = editor.together !== event.altKey ? edits.connected(base, chosen) : chosen;
        let delta = sub(point, this.start);
        if (event.shiftKey) delta = Math.abs(delta[0]) > Math.abs(delta[1]) ? [delta[0], 0] : [0, delta[1]];
        editor.change(edits.moved(base, ids, this.#snappedMove(part.id, delta, event)), "drag");
      },
      release: () => { if (!hasMoved && wasSelected && editor.selection.size > 1) editor.select([key]); },
    };
  }

  /** So that the lower left corner of the box round what is dragged lies on the grid. */
  #snappedMove(id, delta, event) {
    const { snap } = this.editor;
    if (!snap || event.ctrlKey || event.metaKey) return delta;
    const [left, bottom] = extentOf(shapeOf(this.base, id));
    return [delta[0] && toGrid(left + delta[0], snap) - left, delta[1] && toGrid(bottom + delta[1], snap) - bottom];
  }

  #handle(handle) {
    const { editor, base } = this, chosen = new Set(edits.idsOf(base, editor.selection));
    const shape = chosen.size === 1 ? shapeOf(base, [...chosen][0]) : null;
    const change = (draft) => editor.change(draft, "drag");
    const ways = {
      turn: (point, event) => {
        const ids = editor.together !== event.altKey ? edits.connected(base, chosen) : chosen, pivot = edits.pivotOf(base, chosen);
        const from = sub(this.start, pivot), to = sub(point, pivot);
        let angle = Math.atan2(to[1], to[0]) - Math.atan2(from[1], from[0]);
        if (editor.snap && !event.ctrlKey && !event.metaKey) {
          const rest = shape ? shape.rotation : 0;
          angle = toGrid(rest + angle, Math.PI / 12) - rest;
        }
        change(edits.rotated(base, ids, pivot, angle));
      },
      radius: (point, event) => change(edits.shapeSet(base, shape.id, { circle: this.#length(distance(point, shape.position), event) })),
      corner: (point, event) => change(this.#cornered(shape, handle.index, point, event)),
      vertex: (point, event) => change(this.#vertex(shape, handle.index, this.#snapped(point, event))),
      scale: (point) => change(edits.resized(base, chosen, handle.pivot, Math.max(0.1, distance(point, handle.pivot) / distance(this.start, handle.pivot)))),
      aim: (point, event) => {
        const thruster = base.thrusters[handle.index], pose = poseOf(shapeOf(base, thruster.shape)), to = sub(point, handle.from);
        let angle = Math.atan2(to[1], to[0]);
        if (editor.snap && !event.ctrlKey && !event.metaKey) angle = toGrid(angle, Math.PI / 12);
        change(edits.thrusterSet(base, handle.index, { angle: rounded(angle - pose[2]) }));
      },
    };
    return { drag: ways[handle.name] };
  }

  #length(value, event) {
    const { snap } = this.editor;
    return rounded(Math.max(0.03, snap && !event?.ctrlKey ? Math.max(toGrid(value, snap / 2), snap / 2) : value));
  }

  /** The opposite corner of a box stays where it is. */
  #cornered(shape, index, point, event) {
    const pose = poseOf(shape), fixed = outlineOf(shape)[(index + 2) % 4], here = toBody(point, pose), across = sub(here, fixed);
    const box = across.map((v) => this.#length(Math.abs(v), event));
    const way = outlineOf(shape)[index].map(Math.sign);
    const centre = [fixed[0] + (way[0] * box[0]) / 2, fixed[1] + (way[1] * box[1]) / 2];
    return edits.shapeSet(this.base, shape.id, { box, position: roundedPoint(toWorld(centre, pose)) });
  }

  #vertex(shape, index, point) {
    const polygon = shape.polygon.map((c, i) => (i === index ? roundedPoint(toBody(point, poseOf(shape))) : c));
    const next = centred({ ...shape, polygon });
    const shift = toBody(next.position, poseOf(shape)); // the origin moved: what is fixed to it stays
    const draft = edits.shapeSet(this.base, shape.id, next);
    return { ...draft, thrusters: draft.thrusters.map((t) => (t.shape === shape.id ? { ...t, point: roundedPoint(sub(t.point, shift)) } : t)) };
  }

  // -- make -----------------------------------------------------------------------------------------------------

  #role() {
    const has = (role) => this.base.shapes.some((s) => s.role === role);
    return !has("green") ? "green" : !has("blue") ? "blue" : "scenery";
  }

  #make(kind, start) {
    const { editor, base } = this, names = { circle: "ball", box: "box", triangle: "wedge" };
    const fields = { id: freeId(base, names[kind]), role: this.#role(), position: roundedPoint(start) };
    const between = (to) => {
      if (kind === "circle") return { circle: this.#length(distance(start, to)) };
      const [w, h] = [Math.abs(to[0] - start[0]), Math.abs(to[1] - start[1])].map((v) => Math.max(0.05, rounded(v)));
      const centre = [(start[0] + to[0]) / 2, (start[1] + to[1]) / 2];
      if (kind === "box") return { box: [w, h], position: roundedPoint(centre) };
      return { polygon: [[-w / 2, -h / 2], [w / 2, -h / 2], [0, h / 2]].map(roundedPoint), position: roundedPoint(centre) };
    };
    const usual = { circle: { circle: 0.25 }, box: { box: [0.6, 0.4] }, triangle: { polygon: [[-0.3, -0.2], [0.3, -0.2], [0, 0.4]] } }[kind];
    const put = (extra) => editor.change(edits.shapeAdded(base, centred(newShape({ ...fields, ...extra }))), "make");
    return {
      drag: (point, event) => { if (!this.#isClick(point)) put(between(this.#snapped(point, event))); },
      release: (point) => {
        if (this.#isClick(point)) put(usual);
        editor.select([edits.keyOf.shape(fields.id)]);
        editor.finished(fields.role);
      },
    };
  }

  /** For the keyboard: the tool's usual thing, shapes in the middle of the view, joints and thrusters on what is selected. */
  makeAt(point) {
    const { editor } = this, { tool } = editor;
    this.base = editor.draft;
    this.start = point;
    if (tool === "polygon") {
      this.corners = USUAL_POLYGON.map((corner) => roundedPoint(add(this.#snapped(point), corner)));
      this.finishPolygon();
    } else if (JOINTS.includes(tool) || tool === "thruster") this.#makeOnSelected(tool);
    else this.#make(tool, this.#snapped(point)).release(point);
    editor.seal();
  }

  #makeOnSelected(tool) {
    const { editor, base } = this, [shape, second] = edits.idsOf(base, editor.selection).map((id) => shapeOf(base, id));
    if (!shape) return editor.hint("Select a shape first: Tab goes from one to the next");
    if (tool === "thruster") {
      if (shape.static) return editor.hint("A thruster pushes a shape that can move, and this one is static");
      editor.change(edits.thrusterAdded(base, shape.id, centreOf(shape), Math.PI / 2));
      editor.select([edits.keyOf.thruster(editor.draft.thrusters.length - 1)]);
      return editor.finished();
    }
    const found = overlapOf(base, shape, (other) => (second ? other.id === second.id : !(other.static && shape.static)));
    if (!found) return editor.hint(`“${shape.id}” overlaps ${second ? `“${second.id}” nowhere` : "no other shape"}: a joint holds two where they overlap`);
    return this.#join(found.at, tool, [shape.id, found.other.id]);
  }

  #corner(point, event) {
    const { editor } = this, at = this.#snapped(point, event);
    const closes = this.corners.length >= 3 && distance(point, this.corners[0]) * editor.camera.scale < 14;
    if (!closes) this.corners.push(roundedPoint(at));
    if (closes || this.corners.length === 4) this.finishPolygon();
    else editor.hint(this.corners.length < 3 ? "Click the next corner" : "Click a fourth corner, or the first one (Enter) to close");
    editor.redraw();
  }

  finishPolygon() {
    const { editor } = this, corners = hull(this.corners);
    this.corners = [];
    if (corners.length < 3) return editor.hint("Three corners that are not in one line make a shape");
    this.base = editor.draft;
    const id = freeId(editor.draft, "shape");
    editor.change(edits.shapeAdded(editor.draft, centred(newShape({ id, polygon: corners, role: this.#role() }))));
    editor.select([edits.keyOf.shape(id)]);
    editor.finished();
  }

  #join(point, kind, pair = null) {
    const { editor } = this, found = shapesAt(editor.draft, point, 8 / editor.camera.scale).filter((s) => !pair || pair.includes(s.id));
    const moves = (s) => !s.static;
    if (found.length < 2) return editor.hint("A joint holds two shapes: click where they overlap");
    const [b, a] = found; // the upper one turns on the lower
    if (!moves(a) && !moves(b)) return editor.hint("Both are static, so there is nothing to join: let one of them move");
    if (editor.draft.joints.some((j) => [j.a, j.b].every((id) => id === a.id || id === b.id))) return editor.hint(`“${a.id}” and “${b.id}” are joined already`);
    const at = b.circle != null && distance(point, b.position) < 0.35 * b.circle ? b.position : this.#snapped(point);
    editor.change(edits.joined(editor.draft, a.id, b.id, at, kind));
    editor.select([edits.keyOf.joint(editor.draft.joints.length - 1)]);
    editor.finished();
  }

  #thruster(point) {
    const { editor, base } = this, shape = shapesAt(base, point).find((s) => !s.static);
    if (!shape) {
      editor.hint("A thruster pushes a shape that can move: press on one");
      return null;
    }
    const put = (angle) => editor.change(edits.thrusterAdded(base, shape.id, point, angle), "make");
    return {
      drag: (to) => {
        const way = sub(to, point);
        if (length(way) > 0.02) put(toGrid(Math.atan2(way[1], way[0]), editor.snap ? Math.PI / 12 : 1e-4));
      },
      release: (to) => {
        if (this.#isClick(to)) put(Math.PI / 2);
        editor.select([edits.keyOf.thruster(editor.draft.thrusters.length - 1)]);
        editor.finished();
      },
    };
  }
}
