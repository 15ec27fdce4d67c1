// Asks the server what is wrong with the level, a moment after each change, and shows it.
import * as api from "./api.js";
import { toFile } from "./level.js";
import { $, element, icon } from "./dom.js";
import { keyOf } from "./edits.js";

const PAUSE = 180; // ms without a change
const KINDS = [["polygons", "Polygons"], ["circles", "Circles"], ["joints", "Joints"], ["thrusters", "Thrusters"]];

export class Checker {
  constructor(editor) {
    this.editor = editor;
    this.timer = null;
    this.asked = 0;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), PAUSE);
  }

  async now() {
    clearTimeout(this.timer);
    const asked = ++this.asked;
    try {
      const found = await api.check(toFile(this.editor.draft));
      if (asked === this.asked) this.#show(found);
    } catch (error) {
      if (asked === this.asked) this.#show({ size: null, counts: null, problems: [{ text: error.message, shapes: [], joints: [], thrusters: [] }] });
    }
  }

  #show(found) {
    this.editor.problems = found.problems;
    this.editor.size = found.size;
    if (found.counts) {
      this.editor.counts = found.counts;
      meter(found);
    }
    this.found = found.problems;
    this.#list();
    this.editor.studio.checked();
    document.body.dataset.valid = found.problems.length ? "no" : "yes";
    this.editor.redraw();
  }

  /** The first problem, or after a click on their number all of them: they must not cover what is drawn. */
  #list() {
    const { found } = this, shown = this.isLong ? found.slice(0, 8) : found.slice(0, 1);
    const entry = (problem) => element("button", { text: problem.text, title: "Show it", on: { click: () => this.#goTo(problem) } });
    const more = element("button", { class: "more", text: this.isLong ? "Fewer" : `+${found.length - 1}`, title: "All that is wrong", on: { click: () => { this.isLong = !this.isLong; this.#list(); } } });
    const fine = element("div", { class: "fine" }, icon('<path d="m5 12.5 4.5 4.5L19 7.5"/>'), "Ready to play");
    $("problems").replaceChildren(...(found.length ? shown.map(entry) : [fine]), ...(found.length > 1 ? [more] : []));
    $("problems").classList.toggle("long", Boolean(this.isLong));
  }

  #goTo(problem) {
    const keys = [...problem.shapes.map(keyOf.shape), ...problem.joints.map(keyOf.joint), ...problem.thrusters.map(keyOf.thruster)];
    if (keys.length) this.editor.select(keys);
  }
}

/** The least size that holds the level, and how much of it (of L, where none does) is used. */
function meter({ size, counts }) {
  const room = counts.room[size || "l"];
  const entry = ([name, title]) => {
    const used = counts.used[name], most = room[name], fill = element("i");
    fill.style.width = `${Math.min(100, (100 * used) / most)}%`;
    return element("div", { class: used > most ? "over" : "" },
      element("dt", { text: title }),
      element("dd", { class: used > most ? "over" : "", text: `${used} / ${most}` }),
      element("div", { class: "track" }, fill));
  };
  const title = size ? `The least size that holds this level is ${size.toUpperCase()}` : "Larger than size L";
  $("meter").replaceChildren(
    element("span", { class: size ? "size" : "size over", text: size ? size.toUpperCase() : "> L", title }),
    element("dl", {}, ...KINDS.map(entry)));
}
