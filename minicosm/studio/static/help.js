// What the keys do.
import { element } from "./dom.js";

const EDIT = [
  ["Space", "play, and back"], ["V C B T P", "select, circle, box, triangle, free shape"], ["J M W F", "pin, motor, weld, thruster"],
  ["1 2 3 4", "scenery, green, blue, red"], ["Tab", "from shape to shape"], ["Enter", "puts what the tool makes; joints and thrusters on what is selected"],
  ["Arrows", "move (Shift: far)"], [", .", "turn (Shift: by a degree)"], ["+ -", "larger, smaller"],
  ["Shift click", "select more"], ["Alt drag", "without what is joined to it"], ["Ctrl drag", "without snapping"], ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["Ctrl C X V D", "copy, cut, paste, duplicate"], ["Delete", "remove"], ["Ctrl S, Ctrl O", "save, open"], ["0", "show all"], ["G", "gallery"],
];
const PLAY = [
  ["Arrows", "the first controls, as shown on the shapes"], ["1–8", "motors, two keys each"], ["9 0", "thrusters"], ["R", "again from the start"],
  ["P", "pause"], [".", "one step of an agent"], [", Backspace", "back a step, back a second"], ["[ ]", "slower, faster"], ["Space, Esc", "back to the editor"],
];

const table = (rows) => element("table", {}, ...rows.map(([keys, what]) => element("tr", {}, element("td", {}, element("kbd", { text: keys })), element("td", { text: what }))));

export const HELP = (close) => [
  element("h2", { text: "Green must touch blue, and never red" }),
  element("p", { text: "Draw shapes, hold them together with pins and welds, drive them with motors and thrusters. What you play is the engine that agents train on." }),
  element("div", { class: "columns" },
    element("div", {}, element("h3", { text: "Editing" }), table(EDIT)),
    element("div", {}, element("h3", { text: "Playing" }), table(PLAY), element("p", { text: "Two fingers, the right button or a wheel move the view; pinch to zoom." }))),
  element("div", { class: "buttons" }, element("button", { class: "primary", text: "Good", on: { click: () => close() } })),
];
