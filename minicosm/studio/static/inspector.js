// The panel of properties: of the level, or of what is selected.
import { element, icon } from "./dom.js";
import * as edits from "./edits.js";
import { css, bindingColour } from "./paint.js";
import { ROLES, isRoomWall, massOf, shapeOf } from "./level.js";
import { rounded } from "./geometry.js";

const DEGREE = Math.PI / 180;
const EXPLAIN = { scenery: "Scenery", green: "Green: must touch blue", blue: "Blue: the goal", red: "Red: green must not touch it" };

export class Inspector {
  constructor(box, editor) {
    this.box = box;
    this.editor = editor;
  }

  show() {
    if (this.box.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), textarea") && this.typing) return;
    const { editor } = this, parts = [...editor.selection].map(edits.partOf), focus = document.activeElement?.dataset?.field;
    this.box.classList.toggle("open", parts.length > 0);
    const kinds = new Set(parts.map((p) => p.kind));
    let content;
    if (!parts.length) content = this.#level();
    else if (kinds.size > 1) content = this.#mixed(parts);
    else if (kinds.has("shape")) content = this.#shapes(parts.map((p) => p.id));
    else if (kinds.has("joint")) content = this.#joint(parts[0].index);
    else content = this.#thruster(parts[0].index);
    this.box.replaceChildren(...[this.editor.agentCard, ...content].filter(Boolean));
    if (focus) this.box.querySelector(`[data-field="${focus}"]`)?.focus();
  }

  // -- fields ---------------------------------------------------------------------------------------------------

  #change(make, group = null) { this.editor.change(make(this.editor.draft), group); }

  /** A number; `set(draft, value)` gives the next draft. */
  #number(label, value, set, { unit = "", low = -1e4, high = 1e4, step = 0.1 } = {}) {
    const shown = unit === "°" ? Math.round(value * 10) / 10 : rounded(value);
    const input = element("input", { type: "number", value: value === null ? "" : String(shown), step, placeholder: value === null ? "several" : "", "data-field": label, "aria-label": label });
    const take = () => {
      const given = Number(input.value);
      if (input.value === "" || !Number.isFinite(given)) return;
      const kept = Math.min(high, Math.max(low, given));
      this.typing = true;
      this.#change((draft) => set(draft, kept), `field ${label}`);
    };
    input.addEventListener("input", take);
    input.addEventListener("change", () => { this.typing = false; this.editor.seal(); this.show(); });
    input.addEventListener("blur", () => { this.typing = false; });
    return element("label", { class: "field" }, element("span", { text: label }), input, element("span", { class: "unit", text: unit }));
  }

  #switch(label, value, set, title = "") {
    const input = element("input", { type: "checkbox", class: "switch", role: "switch", checked: value, "data-field": label, on: { change: () => this.#change((draft) => set(draft, input.checked)) } });
    return element("label", { class: "field", title }, element("span", { text: label }), input);
  }

  #text(label, value, set, options = {}) {
    const input = element(options.tall ? "textarea" : "input", { type: options.tall ? null : "text", value, maxlength: options.most || 64, class: "wide", "aria-label": label, "data-field": label });
    input.addEventListener("change", () => { this.typing = false; set(input.value); });
    return options.tall ? input : element("label", { class: "field" }, element("span", { text: label }), input);
  }

  #choices(label, options, value, set) {
    return element("div", { class: options.length === 4 && options[0][2] ? "choices four" : "choices", role: "group", "aria-label": label }, ...options.map(([one, text, mark, title]) => element("button", {
      "aria-pressed": String(value === one), title: title || text, "data-field": `${label} ${one}`, on: { click: () => this.#change((draft) => set(draft, one)) },
    }, mark || null, text)));
  }

  #roles(value, set) {
    return this.#choices("Role", ROLES.map((role) => [role, role[0].toUpperCase() + role.slice(1), element("i", { class: `swatch ${role}` }), EXPLAIN[role]]), value, set);
  }

  #binding(kind, value, set) {
    const { editor } = this, count = kind === "motor" ? editor.about.motors : editor.about.thrusters;
    const mark = (binding) => {
      const dot = element("i", { class: "k" });
      dot.style.background = css(bindingColour(editor.theme, kind, binding, editor.about.motors));
      return dot;
    };
    const keys = (binding) => editor.keysOf(kind, binding) || `${binding + 1}`;
    const options = [...Array(count).keys()].map((b) => [b, keys(b), mark(b), `${kind} binding ${b + 1}`]);
    return [element("h3", { text: "Driven by" }), this.#choices("Binding", [...options, ["automatic", "Always on", mark("automatic"), "no key: always fully on"]], value, set)];
  }

  #actions(...extra) {
    return element("div", { class: "actions" }, ...extra,
      element("button", { title: "Ctrl+D", text: "Duplicate", on: { click: () => this.editor.duplicate() } }),
      element("button", { class: "danger", title: "Delete", text: "Delete", on: { click: () => this.editor.remove() } }));
  }

  // -- the level ------------------------------------------------------------------------------------------------

  #level() {
    const { draft } = this.editor;
    const gravity = (g) => Math.abs(draft.gravity[1] - g) < 1e-3 && draft.gravity[0] === 0;
    const preset = ([name, g]) => element("button", { "aria-pressed": String(gravity(g)), text: name, title: `${g} m/s²`, on: { click: () => this.#change((d) => ({ ...d, gravity: [0, g] })) } });
    const wall = (id) => {
      const select = element("select", { "aria-label": id, on: { change: () => this.#change((d) => edits.shapeSet(d, id, { role: select.value })) } }, ...ROLES.map((role) => element("option", { value: role, text: role })));
      select.value = draft.room[id];
      return element("label", { class: "field" }, element("span", { text: id.replace("_", " ").replace(/^./, (c) => c.toUpperCase()) }), select);
    };
    return [
      element("h2", { text: "Level" }),
      element("p", { text: "Green must touch blue, and never red. Pick a tool on the left and draw, or click a shape to change it." }),
      element("h3", { text: "Gravity" }),
      element("div", { class: "choices" }, ...[["Earth", -9.81], ["Moon", -1.62], ["None", 0]].map(preset)),
      this.#number("Sideways", draft.gravity[0], (d, v) => ({ ...d, gravity: [v, d.gravity[1]] }), { unit: "m/s²", step: 0.5 }),
      this.#number("Upwards", draft.gravity[1], (d, v) => ({ ...d, gravity: [d.gravity[0], v] }), { unit: "m/s²", step: 0.5 }),
      ...(draft.walls ? [] : [
        element("h3", { text: "Room" }), ...["floor", "ceiling", "left_wall", "right_wall"].map(wall),
        this.#number("Width", draft.room.size[0], (d, v) => ({ ...d, room: { ...d.room, size: [v, d.room.size[1]] } }), { unit: "m", low: 0.5, high: 50, step: 0.5 }),
        this.#number("Height", draft.room.size[1], (d, v) => ({ ...d, room: { ...d.room, size: [d.room.size[0], v] } }), { unit: "m", low: 0.5, high: 50, step: 0.5 }),
      ]),
      element("h3", { text: "About" }),
      this.#choices("Difficulty", [["easy", "Easy"], ["medium", "Medium"], ["hard", "Hard"]], draft.difficulty, (d, v) => ({ ...d, difficulty: d.difficulty === v ? null : v })),
      this.#text("Description", draft.description, (v) => this.#change((d) => ({ ...d, description: v })), { tall: true, most: 2000 }),
      this.#text("Author", draft.author, (v) => this.#change((d) => ({ ...d, author: v })), { most: 200 }),
    ];
  }

  #mixed(parts) {
    return [element("h2", { text: `${parts.length} things selected` }), this.#actions()];
  }

  // -- shapes ---------------------------------------------------------------------------------------------------

  #shapes(ids) {
    const { draft } = this.editor, shapes = ids.map((id) => shapeOf(draft, id)).filter(Boolean), [first] = shapes;
    if (!first) return [];
    const common = (read) => (shapes.every((s) => JSON.stringify(read(s)) === JSON.stringify(read(first))) ? read(first) : null);
    const each = (fields) => (d) => ids.reduce((next, id) => edits.shapeSet(next, id, typeof fields === "function" ? fields(shapeOf(next, id)) : fields), d);
    const number = (label, read, fields, options) => this.#number(label, common(read), (d, v) => each(fields(v))(d), options);
    const roles = this.#roles(common((s) => s.role), (d, role) => each({ role })(d));
    if (ids.some((id) => isRoomWall(draft, id))) {
      const title = ids.length === 1 ? ids[0].replace("_", " ") : `${ids.length} walls`;
      return [element("h2", { text: title.replace(/^./, (c) => c.toUpperCase()) }), roles, element("p", { text: "A wall of the room. Its size is the room’s: click into the open to change it." })];
    }
    const isWall = draft.walls?.some((w) => ids.includes(w.id)), isStatic = common((s) => s.static);
    const one = ids.length === 1, kind = first.circle != null ? "Circle" : first.box ? "Box" : "Polygon";
    return [
      element("h2", {}, one ? kind : `${ids.length} shapes`, one ? element("span", { class: "what", text: first.static ? "static" : `${rounded(massOf(first)).toPrecision(3)} kg` }) : null),
      roles,
      isWall ? null : this.#switch("Static", isStatic === true, (d, v) => each({ static: v, ...(v ? { velocity: [0, 0], angular_velocity: 0 } : {}) })(d), "It never moves"),
      element("h3", { text: "Place" }),
      number("x", (s) => s.position[0], (v) => (s) => ({ position: [v, s.position[1]] }), { unit: "m" }),
      number("y", (s) => s.position[1], (v) => (s) => ({ position: [s.position[0], v] }), { unit: "m" }),
      number("Turned", (s) => s.rotation / DEGREE, (v) => () => ({ rotation: rounded(v * DEGREE) }), { unit: "°", step: 15 }),
      ...(common((s) => s.circle != null) && first.circle != null ? [number("Radius", (s) => s.circle, (v) => () => ({ circle: v }), { unit: "m", low: 0.02, step: 0.05 })] : []),
      ...(shapes.every((s) => s.box) ? [
        number("Width", (s) => s.box[0], (v) => (s) => ({ box: [v, s.box[1]] }), { unit: "m", low: 0.02, step: 0.05 }),
        number("Height", (s) => s.box[1], (v) => (s) => ({ box: [s.box[0], v] }), { unit: "m", low: 0.02, step: 0.05 }),
      ] : []),
      element("h3", { text: "Matter" }),
      isStatic ? null : number("Density", (s) => s.density, (v) => () => ({ density: v }), { unit: "kg/m²", low: 0.01, high: 1e4, step: 0.25 }),
      number("Friction", (s) => s.friction, (v) => () => ({ friction: v }), { low: 0, high: 10, step: 0.1 }),
      number("Bounce", (s) => s.restitution, (v) => () => ({ restitution: v }), { low: 0, high: 1, step: 0.1 }),
      ...(isStatic ? [] : [
        element("h3", { text: "At the start" }),
        number("Speed x", (s) => s.velocity[0], (v) => (s) => ({ velocity: [v, s.velocity[1]] }), { unit: "m/s", step: 0.5 }),
        number("Speed y", (s) => s.velocity[1], (v) => (s) => ({ velocity: [s.velocity[0], v] }), { unit: "m/s", step: 0.5 }),
        number("Spin", (s) => s.angular_velocity, (v) => () => ({ angular_velocity: v }), { unit: "rad/s", step: 0.5 }),
      ]),
      ids.length === 2 ? this.#passing(ids) : null,
      one ? this.#text("Name", first.id, (name) => this.editor.rename(first.id, name)) : null,
      isWall ? null : this.#actions(),
    ];
  }

  #passing([a, b]) {
    const { draft } = this.editor, isPair = (pair) => pair.includes(a) && pair.includes(b);
    if (draft.joints.some((j) => isPair([j.a, j.b]))) return element("p", { text: "They are joined, so they pass through each other." });
    return this.#switch("Pass through each other", draft.no_collision.some(isPair), (d, v) => ({
      ...d, no_collision: v ? [...d.no_collision, [a, b]] : d.no_collision.filter((pair) => !isPair(pair)),
    }));
  }

  // -- joints and thrusters -------------------------------------------------------------------------------------

  #joint(index) {
    const joint = this.editor.draft.joints[index];
    if (!joint) return [];
    const set = (fields) => (d) => edits.jointSet(d, index, typeof fields === "function" ? fields(d.joints[index]) : fields);
    const motor = (fields) => (d, v) => set((j) => ({ motor: { ...j.motor, ...fields(v) } }))(d);
    const weld = (is) => (is ? { weld: true, motor: null, limits: null, spring: null, rest_angle: null } : { weld: false });
    const limit = (side) => (d, v) => set((j) => {
      const limits = [...j.limits];
      limits[side] = rounded(v * DEGREE);
      limits[1 - side] = side ? Math.min(limits[0], limits[1]) : Math.max(limits[0], limits[1]);
      return { limits };
    })(d);
    return [
      element("h2", {}, joint.weld ? "Weld" : joint.motor ? "Motor" : "Pin", element("span", { class: "what", text: `${joint.b} on ${joint.a}` })),
      this.#choices("Kind", [[false, "Pin", null, "it turns freely"], [true, "Weld", null, "it holds both as they are"]], joint.weld, (d, v) => set(weld(v))(d)),
      ...(joint.weld ? [] : [
        this.#switch("Motor", Boolean(joint.motor), (d, v) => set({ motor: v ? { speed: 8, torque: 2, binding: 0 } : null })(d)),
        ...(joint.motor ? [
          this.#number("Speed", joint.motor.speed, motor((speed) => ({ speed })), { unit: "rad/s", step: 1 }),
          this.#number("Torque", joint.motor.torque, motor((torque) => ({ torque })), { unit: "N m", low: 0, step: 0.5 }),
          ...this.#binding("motor", joint.motor.binding, (d, binding) => motor(() => ({ binding }))(d)),
        ] : []),
        element("h3", { text: "Limits" }),
        this.#switch("Limits", Boolean(joint.limits), (d, v) => set({ limits: v ? [-Math.PI / 4, Math.PI / 4].map(rounded) : null })(d), "how far it turns"),
        ...(joint.limits ? [
          this.#number("Clockwise to", joint.limits[0] / DEGREE, limit(0), { unit: "°", step: 5 }),
          this.#number("Anticlockwise to", joint.limits[1] / DEGREE, limit(1), { unit: "°", step: 5 }),
        ] : []),
        element("h3", { text: "Spring" }),
        this.#switch("Spring", Boolean(joint.spring), (d, v) => set({ spring: v ? { hertz: 2, damping: 0.7 } : null })(d), "turns it back"),
        ...(joint.spring ? [
          this.#number("Frequency", joint.spring.hertz, (d, v) => set((j) => ({ spring: { ...j.spring, hertz: v } }))(d), { unit: "Hz", low: 0.01, step: 0.5 }),
          this.#number("Damping", joint.spring.damping, (d, v) => set((j) => ({ spring: { ...j.spring, damping: v } }))(d), { low: 0, step: 0.1 }),
        ] : []),
      ]),
      element("h3", { text: "Place" }),
      this.#number("x", joint.at[0], (d, v) => set((j) => ({ at: [v, j.at[1]] }))(d), { unit: "m" }),
      this.#number("y", joint.at[1], (d, v) => set((j) => ({ at: [j.at[0], v] }))(d), { unit: "m" }),
      element("div", { class: "actions" },
        joint.weld ? null : element("button", { text: "Swap sides", title: "Which shape counts as the base", on: { click: () => this.#change(set((j) => ({ a: j.b, b: j.a, rest_angle: null }))) } }),
        element("button", { class: "danger", text: "Delete", on: { click: () => this.editor.remove() } })),
    ];
  }

  #thruster(index) {
    const thruster = this.editor.draft.thrusters[index];
    if (!thruster) return [];
    const set = (fields) => (d) => edits.thrusterSet(d, index, fields), at = (d) => edits.thrusterAt(d, d.thrusters[index]), [x, y] = at(this.editor.draft);
    return [
      element("h2", {}, icon('<path d="M9 4h6l2 8H7zM10 15l-1 3m3-3v5m2-5 1 3"/>'), "Thruster", element("span", { class: "what", text: `on ${thruster.shape}` })),
      this.#number("Force", thruster.force, (d, force) => set({ force })(d), { unit: "N", low: 0.01, step: 0.5 }),
      this.#number("Direction", thruster.angle / DEGREE, (d, v) => set({ angle: rounded(v * DEGREE) })(d), { unit: "°", step: 15 }),
      element("h3", { text: "Place" }),
      this.#number("x", x, (d, v) => edits.thrusterMoved(d, index, [v, at(d)[1]]), { unit: "m" }),
      this.#number("y", y, (d, v) => edits.thrusterMoved(d, index, [at(d)[0], v]), { unit: "m" }),
      ...this.#binding("thruster", thruster.binding, (d, binding) => set({ binding })(d)),
      element("div", { class: "actions" }, element("button", { class: "danger", text: "Delete", on: { click: () => this.editor.remove() } })),
    ];
  }
}
