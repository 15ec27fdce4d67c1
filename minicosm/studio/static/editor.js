// The editor: what is drawn, what is selected, and everything that pointers, keys and panels do with it.
import { $, announce, toast } from "./dom.js";
import * as edits from "./edits.js";
import { Checker } from "./checker.js";
import { History } from "./history.js";
import { Inspector } from "./inspector.js";
import { controlsOf, labelOf } from "./keys.js";
import { empty, sceneOf, shapeOf } from "./level.js";
import { paintOverlay } from "./overlay.js";
import { paintGround, paintScene } from "./paint.js";
import { everything, handleAt, handlesOf, hit, pruned, reachOf } from "./selection.js";
import { TOOLS, Tools } from "./tools.js";
import { element, icon } from "./dom.js";

const NUDGE = 0.05; // m, by an arrow key
const SMALLEST = 0.06; // m across, below which keys make nothing smaller

export class Editor {
  /** `studio` has about, camera, theme(), isDark(), redraw(), keep() and changed(). */
  constructor(studio) {
    this.studio = studio;
    this.about = studio.about;
    this.camera = studio.camera;
    this.history = new History(empty());
    this.selection = new Set();
    this.tool = "select";
    this.snap = 0.1;
    this.together = true;
    this.problems = [];
    this.marquee = null;
    this.clip = null;
    this.documents = 0; // how many levels were opened: a draft says which it is of
    this.names = new Map(); // of the files that they are saved as
    this.tools = new Tools(this);
    this.inspector = new Inspector($("inspector"), this);
    this.checker = new Checker(this);
    this.#toolbar();
  }

  get draft() { return this.history.now; }
  get theme() { return this.studio.theme(); }
  get agentCard() { return this.studio.agentCard; }

  get savedAs() { return this.names.get(this.draft.document) ?? null; }
  set savedAs(name) { this.names.set(this.draft.document, name); }

  /** Another level, in place of this one; Ctrl+Z brings this one back. */
  open(draft, savedAs = null) {
    this.documents += 1;
    const opened = { ...draft, document: this.documents };
    this.names.set(this.documents, savedAs);
    this.tools.corners = [];
    this.selection = new Set();
    if (this.documents === 1) this.history = new History(opened);
    else this.history.set(opened);
    this.#changed();
  }

  change(draft, group = null) {
    if (draft === this.draft) return;
    this.history.set(draft, group);
    this.#changed();
  }

  /** All of this level at once. */
  replace(draft) {
    this.selection = new Set();
    this.change({ ...draft, document: this.draft.document });
  }

  seal() { this.history.seal(); }

  #changed() {
    this.selection = pruned(this.draft, this.selection);
    this.cached = null;
    $("undo").disabled = !this.history.past.length;
    $("redo").disabled = !this.history.future.length;
    if (document.activeElement !== $("level-name")) $("level-name").value = this.draft.name;
    this.inspector.show();
    this.checker.later();
    this.studio.keep();
    this.studio.changed();
    this.redraw();
  }

  undo() { if (this.history.undo()) this.#changed(); }
  redo() { if (this.history.redo()) this.#changed(); }
  redraw() { this.studio.redraw(); }

  hint(text) {
    clearTimeout(this.hintTimer);
    $("hint").textContent = text;
    $("hint").classList.toggle("shown", Boolean(text));
    if (text) this.hintTimer = setTimeout(() => $("hint").classList.remove("shown"), 4200);
  }

  // -- selection ------------------------------------------------------------------------------------------------

  select(keys) {
    this.selection = new Set(keys);
    if (this.selection.size) this.hint("");
    this.inspector.typing = false;
    this.inspector.show();
    this.redraw();
    const names = [...this.selection].map((key) => this.#nameOf(key));
    announce(names.length ? `Selected: ${names.slice(0, 4).join(", ")}${names.length > 4 ? ` and ${names.length - 4} more` : ""}` : "Nothing selected");
  }

  #nameOf(key) {
    const part = edits.partOf(key);
    if (part.kind === "shape") return `${part.id}, ${shapeOf(this.draft, part.id)?.role}`;
    return `${part.kind} ${part.index + 1}`;
  }

  tab(back) {
    const all = everything(this.draft), now = all.indexOf([...this.selection].at(-1)), next = now + (back ? -1 : 1);
    if (next < 0 && now === -1 && back) return this.#selectOne(all.at(-1));
    if (next < 0 || next >= all.length) { this.select([]); return false; }
    return this.#selectOne(all[next]);
  }

  #selectOne(key) {
    if (!key) return false;
    this.select([key]);
    return true;
  }

  // -- what buttons and keys do ---------------------------------------------------------------------------------

  setTool(name) {
    this.tools.corners = [];
    this.tool = name;
    for (const button of $("tools").querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    const { title } = TOOLS.find((tool) => tool.name === name);
    if (name !== "select") this.hint(title);
    else this.hint("");
    $("canvas").style.cursor = name === "select" ? "default" : "crosshair";
    this.redraw();
  }

  /** A tool has done its work. */
  finished(role) {
    this.setTool("select");
    if (role === "green") this.hint("The first shape is green: it must touch blue");
    if (role === "blue") this.hint("The second is blue, the goal. Now add motors or thrusters");
  }

  remove() {
    if (!this.selection.size) return;
    this.change(edits.removed(this.draft, this.selection));
    this.select([]);
  }

  copy() {
    this.clip = edits.copied(this.draft, this.selection);
    this.pastes = 0;
    return Boolean(this.clip);
  }

  paste() {
    if (!this.clip) return;
    this.pastes += 1;
    const [draft, keys] = edits.pasted(this.draft, this.clip, [0.3 * this.pastes, 0.3 * this.pastes]);
    this.change(draft);
    this.select(keys);
  }

  cut() { if (this.copy()) this.remove(); }

  duplicate() {
    const before = this.clip;
    if (this.copy()) this.paste();
    this.clip = before || this.clip;
  }

  nudge(dx, dy, far) {
    const ids = new Set(edits.idsOf(this.draft, this.selection)), step = far ? 10 * NUDGE : NUDGE, delta = [dx * step, dy * step];
    if (!this.selection.size) return false;
    const all = this.together ? edits.connected(this.draft, ids) : ids;
    this.change(ids.size ? edits.moved(this.draft, all, delta) : edits.shifted(this.draft, this.selection, delta), "nudge");
    return true;
  }

  turn(angle) {
    const ids = new Set(edits.idsOf(this.draft, this.selection));
    if (ids.size) this.change(edits.rotated(this.draft, this.together ? edits.connected(this.draft, ids) : ids, edits.pivotOf(this.draft, ids), angle));
    else this.change(edits.aimed(this.draft, this.selection, angle));
  }

  scale(factor) {
    const ids = new Set(edits.idsOf(this.draft, this.selection));
    if (!ids.size) return;
    const [left, bottom, right, top] = edits.boundsOfIds(this.draft, ids);
    if (factor < 1 && Math.min(right - left, top - bottom) < SMALLEST) return;
    this.change(edits.resized(this.draft, ids, edits.pivotOf(this.draft, ids), factor), "scale");
  }

  setRole(role) {
    const ids = [...this.selection].map(edits.partOf).filter((p) => p.kind === "shape").map((p) => p.id);
    if (ids.length) this.change(ids.reduce((d, id) => edits.shapeSet(d, id, { role }), this.draft));
  }

  rename(id, to) {
    const name = to.trim();
    if (!name || name === id) return this.inspector.show();
    if (shapeOf(this.draft, name)) { toast(`“${name}” is taken: every shape needs a name of its own`, true); return this.inspector.show(); }
    this.change(edits.renamed(this.draft, id, name));
    return this.select([edits.keyOf.shape(name)]);
  }

  keyDown(event) {
    const { key } = event, lower = key.toLowerCase(), command = event.ctrlKey || event.metaKey;
    if (command) {
      const runs = { z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo(), c: () => this.copy(), x: () => this.cut(), v: () => this.paste(), d: () => this.duplicate(), a: () => this.select(everything(this.draft)) };
      if (!runs[lower]) return false;
      runs[lower]();
      return true;
    }
    if (key.startsWith("Arrow")) {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
      return this.nudge(...way, event.shiftKey);
    }
    if (key === "Delete" || key === "Backspace") this.remove();
    else if (key === "Escape") { this.tools.cancel(); this.setTool("select"); this.select([]); }
    else if (key === "Enter") {
      if (this.tool === "polygon" && this.tools.corners.length) this.tools.finishPolygon();
      else if (this.tool !== "select") this.tools.makeAt(this.camera.middle);
      else if (this.selection.size) $("inspector").querySelector("button, input")?.focus();
      else return false;
    } else if (key === "," || key === ".") this.turn((key === "," ? 1 : -1) * Math.PI / (event.shiftKey ? 180 : 12));
    else if ("+=-".includes(key)) this.scale(key === "-" ? 1 / 1.1 : 1.1);
    else if (/^[1-4]$/.test(key)) this.setRole(["scenery", "green", "blue", "red"][Number(key) - 1]);
    else {
      const tool = TOOLS.find((one) => one.letter.toLowerCase() === lower);
      if (!tool || event.altKey) return false;
      this.setTool(tool.name);
    }
    return true;
  }

  // -- pointers -------------------------------------------------------------------------------------------------

  pointers() {
    const world = (point) => this.camera.toWorld(point);
    return {
      press: (point, event) => { this.tools.press(world(point), event); this.redraw(); },
      drag: (point, event) => { this.tools.drag(world(point), event); this.redraw(); },
      release: (point, event) => { this.tools.release(world(point), event); this.redraw(); },
      cancel: () => { this.tools.cancel(); this.marquee = null; this.redraw(); },
      hover: (point, event) => this.#hover(world(point), event),
      doublePress: () => { if (this.tool === "polygon") this.tools.finishPolygon(); },
    };
  }

  #hover(point, event) {
    this.pointer = point;
    const reach = reachOf(event) / this.camera.scale;
    const handle = this.tool === "select" && handleAt(handlesOf(this.draft, this.selection, this.camera), point, 1.4 * reach);
    const under = handle ? null : hit(this.draft, point, reach * 0.6), isWall = under && under.startsWith("s:") && !edits.idsOf(this.draft, [under]).length;
    if (this.tool === "select") $("canvas").style.cursor = handle ? (handle.name === "turn" || handle.name === "aim" ? "grab" : "nwse-resize") : under && !isWall ? "move" : "default";
    if (under !== this.hovered || this.tools.corners.length) { this.hovered = isWall ? null : under; this.redraw(); }
  }

  // -- pictures -------------------------------------------------------------------------------------------------

  scene() {
    if (!this.cached) this.cached = sceneOf(this.draft);
    return this.cached;
  }

  keysOf(kind, binding) {
    const scene = this.scene();
    const controls = controlsOf(scene, (slot) => scene.poses[slot], this.about.motors);
    return labelOf(controls, kind, binding);
  }

  paint(ctx) {
    const scene = this.scene(), poseOf = (slot) => scene.poses[slot], numMotors = this.about.motors;
    const controls = controlsOf(scene, poseOf, numMotors), label = (kind) => (b) => (b === "automatic" ? "" : labelOf(controls, kind, b));
    paintGround(ctx, this.camera, this.theme, this.snap);
    paintScene(ctx, this.camera, scene, poseOf, { theme: this.theme, signals: null, numMotors, labels: { motor: label("motor"), thruster: label("thruster") } });
    paintOverlay(ctx, this, scene, poseOf, this.studio.isDark());
  }

  #toolbar() {
    const button = (tool) => element("button", { title: `${tool.title} (${tool.letter})`, "aria-label": tool.title, "data-tool": tool.name, "aria-pressed": String(tool.name === "select"), on: { click: () => this.setTool(tool.name) } }, icon(tool.icon), element("span", { class: "letter", text: tool.letter }));
    const line = () => element("hr");
    const [select, ...others] = TOOLS.map(button);
    $("tools").replaceChildren(select, line(), ...others.slice(0, 4), line(), ...others.slice(4));
  }
}
