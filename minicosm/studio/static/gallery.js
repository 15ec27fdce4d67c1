// The library: every level as a thumbnail in which its winning replay plays, to search and filter.
import * as api from "./api.js";
import { $, element, fitted, toast } from "./dom.js";
import { Camera } from "./camera.js";
import { paintGround, paintScene } from "./paint.js";

const HZ = 30, HOLD = 0.9; // s for which start and end stay
const VIEW = [-0.12, -0.12, 5.12, 5.12];
const ORDER = { easy: 0, medium: 1, hard: 2 };

export class Gallery {
  /** `studio` has theme(), about, and pick(name). */
  constructor(studio) {
    this.studio = studio;
    this.isOpen = false;
    this.filters = { text: "", size: null, difficulty: null };
    this.films = new Map();
    this.visible = new Set();
    this.cards = [];
  }

  async open() {
    this.isOpen = true;
    $("gallery").hidden = false;
    if (!this.cards.length) await this.#build();
    this.search.focus({ preventScroll: true });
    this.#loop();
  }

  close() {
    this.isOpen = false;
    $("gallery").hidden = true;
  }

  /** The level after `name`, as they are shown. */
  after(name) {
    const names = this.cards.filter((card) => !card.box.hidden).map((card) => card.level.name);
    return names[names.indexOf(name) + 1] || null;
  }

  async #build() {
    let levels;
    try {
      levels = await api.library();
    } catch (error) {
      toast(error.message, true);
      return;
    }
    levels.sort((a, b) => (ORDER[a.difficulty] ?? 1.5) - (ORDER[b.difficulty] ?? 1.5) || "sml".indexOf(a.size) - "sml".indexOf(b.size) || a.title.localeCompare(b.title));
    this.search = element("input", { type: "search", placeholder: `Search ${levels.length} levels`, "aria-label": "Search", on: { input: () => { this.filters.text = this.search.value.toLowerCase(); this.#filter(); } } });
    const filter = (name, options) => {
      const buttons = [[null, "All"], ...options].map(([value, text]) => element("button", { text, "aria-pressed": String(value === null), on: { click: () => {
        this.filters[name] = value;
        buttons.forEach((b, i) => b.setAttribute("aria-pressed", String([null, ...options.map(([v]) => v)][i] === value)));
        this.#filter();
      } } }));
      return element("div", { class: "filter", role: "group", "aria-label": name }, ...buttons);
    };
    this.none = element("p", { class: "none", text: "No level is like that. Try fewer filters, or draw it yourself.", hidden: true });
    const watcher = new IntersectionObserver((entries) => entries.forEach((entry) => {
      const card = this.cards.find((one) => one.box === entry.target);
      if (entry.isIntersecting) { this.visible.add(card); this.#fetch(card); } else this.visible.delete(card);
    }), { root: $("gallery"), rootMargin: "120px" });
    this.cards = levels.map((level) => this.#card(level));
    $("gallery").replaceChildren(
      element("div", { class: "gallery-head" }, element("h1", { text: "Library" }), this.search,
        filter("size", [["s", "S"], ["m", "M"], ["l", "L"]]), filter("difficulty", [["easy", "Easy"], ["medium", "Medium"], ["hard", "Hard"]])),
      element("div", { class: "grid" }, ...this.cards.map((card) => card.box), this.none));
    this.cards.forEach((card) => watcher.observe(card.box));
  }

  #card(level) {
    const canvas = element("canvas", { "aria-hidden": "true" });
    const tags = [element("span", { class: "tag", text: level.size.toUpperCase() }), level.difficulty && element("span", { class: `tag ${level.difficulty}`, text: level.difficulty }),
      level.best && element("span", { class: "tag", title: `best agent: ${level.best.agent}`, text: `agent ${Math.round(100 * level.best.rate)} %` })];
    const card = { level, canvas, camera: new Camera(), at: Math.random() * 2 };
    card.box = element("button", { class: "card", title: level.description || level.title, "data-level": level.name, on: { click: () => this.studio.pick(level.name), pointerenter: () => { card.hovered = true; }, pointerleave: () => { card.hovered = false; } } },
      canvas, element("div", { class: "about" }, element("div", { class: "tags" }, ...tags.filter(Boolean)), element("strong", { text: level.title }), element("small", { text: level.description })));
    return card;
  }

  async #fetch(card) {
    if (card.film || card.asked) return;
    card.asked = true;
    try {
      card.film = await api.libraryFilm(card.level.name);
    } catch (error) {
      card.asked = false;
      if (error.status === 503 || error.status === 429) setTimeout(() => { if (this.visible.has(card)) this.#fetch(card); }, 700);
    }
  }

  #filter() {
    const { text, size, difficulty } = this.filters;
    let shown = 0;
    for (const { level, box } of this.cards) {
      const about = `${level.title} ${level.name} ${level.description}`.toLowerCase();
      box.hidden = !((!size || level.size === size) && (!difficulty || level.difficulty === difficulty) && text.split(/\s+/).every((word) => about.includes(word)));
      shown += box.hidden ? 0 : 1;
    }
    this.none.hidden = shown > 0;
  }

  #loop() {
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let last = performance.now();
    const frame = (now) => {
      if (!this.isOpen) return;
      requestAnimationFrame(frame);
      if (now - last < 1000 / 32) return; // films have 30 pictures a second
      const seconds = Math.min(0.2, (now - last) / 1000);
      last = now;
      for (const card of this.visible) {
        if (!card.box.hidden && card.film) this.#paint(card, still.matches && !card.hovered ? 0 : seconds);
      }
    };
    requestAnimationFrame(frame);
  }

  #paint(card, seconds) {
    const { film, camera, canvas } = card, ctx = fitted(canvas), length = film.frames.length / HZ;
    card.at = (card.at + seconds) % (length + 2 * HOLD);
    const index = Math.max(0, Math.min(film.frames.length - 1, Math.floor((card.at - HOLD) * HZ)));
    camera.resize(canvas.clientWidth, canvas.clientHeight);
    camera.fit(VIEW);
    const poses = new Map(film.scene.shapes.map((shape, i) => [shape.slot, film.start[i]]));
    film.moving.forEach((shape, i) => poses.set(film.scene.shapes[shape].slot, film.frames[index].slice(3 * i, 3 * i + 3)));
    const theme = this.studio.theme();
    paintGround(ctx, camera, theme);
    paintScene(ctx, camera, film.scene, (slot) => poses.get(slot), { theme, signals: null, numMotors: this.studio.about.motors });
  }
}
