// Undo and redo without limit, and a copy in the browser that survives a closed tab.

const KEY = "minicosm.draft.v1";

export class History {
  constructor(draft) {
    this.past = [];
    this.future = [];
    this.now = draft;
    this.group = null;
  }

  /** A change. Changes of one `group` (a name while dragging or typing) are undone together. */
  set(draft, group = null) {
    if (draft === this.now) return;
    if (group === null || group !== this.group) this.past.push(this.now);
    this.group = group;
    this.now = draft;
    this.future = [];
  }

  /** The next change is one of its own. */
  seal() { this.group = null; }

  undo() { return this.#move(this.past, this.future); }
  redo() { return this.#move(this.future, this.past); }

  #move(from, to) {
    if (!from.length) return false;
    to.push(this.now);
    this.now = from.pop();
    this.group = null;
    return true;
  }
}

/** Keep what is drawn in this browser. What cannot be kept (private windows, full storage) is no reason to stop. */
export function keep(editor, file) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ file, savedAs: editor.savedAs, at: Date.now() }));
  } catch { /* drawn on, unkept */ }
}

export function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}
