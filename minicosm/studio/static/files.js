// Levels in and out: the folder on the server, files of this computer, links.
import * as api from "./api.js";
import { ask, confirmed, dialog, download, element, toast } from "./dom.js";
import { toFile } from "./level.js";
import { linkOf } from "./sharing.js";

const SQUEEZED = [["Gallery", "to-gallery"], ["Mutate", "mutate"], ["Grid and snapping…", "snap"], ["Show all", "fit"], ["Light or dark", "theme"], ["Keys and hints", "help"]]; // for want of room

export class Files {
  /** `studio` has editor, open(file, savedAs) and about. */
  constructor(studio) { this.studio = studio; }

  menuItems() {
    const { studio } = this;
    return [
      { text: "New level", run: () => studio.blank() },
      { text: "Open…", key: "Ctrl O", run: () => this.open() },
      { text: "Save", key: "Ctrl S", run: () => this.save() },
      { text: "Save as…", run: () => this.saveAs() },
      "-",
      { text: "Import a file…", run: () => this.pick() },
      { text: "Export as JSON", run: () => this.export() },
      { text: "Copy a link to this level", run: () => this.share() },
      ...(innerWidth > 760 ? [] : ["-", ...SQUEEZED.map(([text, id]) => ({ text, run: () => document.getElementById(id).click() }))]),
    ];
  }

  async save() {
    const { savedAs } = this.studio.editor;
    if (!savedAs) return this.saveAs();
    return this.#write(savedAs, true);
  }

  async saveAs() {
    const { editor } = this.studio;
    const usual = editor.savedAs || (editor.draft.name || "my level").replace(/[^A-Za-z0-9 _-]+/g, "").trim().slice(0, 64) || "my level";
    const name = await ask("Save the level as", usual, "Save");
    if (name) await this.#write(name, false);
  }

  async #write(name, overwrite) {
    const { editor } = this.studio;
    try {
      const { written } = await api.saveLevel(name, toFile(editor.draft), overwrite);
      editor.savedAs = name;
      this.studio.keep();
      toast(`Saved as ${written}`);
    } catch (error) {
      if (error.status === 409 && await confirmed("Replace it?", error.message, "Replace")) return this.#write(name, true);
      if (error.status !== 409) toast(error.message, true);
    }
    return undefined;
  }

  async open() {
    let found;
    try {
      found = await api.levels();
    } catch (error) {
      return toast(error.message, true);
    }
    const name = await dialog((close) => [
      element("h2", { text: "Open a level" }),
      found.length ? null : element("p", { text: `There is none in “${this.studio.about.folder}” yet: save one, or look into the gallery.` }),
      element("div", { class: "list" }, ...found.map((one) => element("button", { on: { click: () => close(one.name) } },
        element("span", { text: one.name }), element("time", { text: new Date(one.written * 1000).toLocaleString() })))),
      element("div", { class: "buttons" }, element("button", { text: "From this computer…", on: { click: () => { close(null); this.pick(); } } }), element("button", { text: "Cancel", on: { click: () => close(null) } })),
    ].filter(Boolean));
    if (!name) return undefined;
    try {
      this.studio.open((await api.openLevel(name)).level, name);
    } catch (error) {
      toast(error.message, true);
    }
    return undefined;
  }

  pick() {
    const input = element("input", { type: "file", accept: ".json,application/json" });
    input.addEventListener("change", () => { if (input.files[0]) this.take(input.files[0]); });
    input.click();
  }

  /** A file that was picked or dropped: ours, or Kinetix's, which the server turns into ours. */
  async take(file) {
    try {
      if (file.size > 4 * 2 ** 20) throw new Error(`${file.name} is too large; a level has at most 4 MiB`);
      const { level } = await api.imported(await file.text(), file.name);
      this.studio.open(level);
      toast(`Imported ${file.name}`);
    } catch (error) {
      toast(error.message, true);
    }
  }

  export() {
    const { editor } = this.studio;
    const name = editor.savedAs || (editor.draft.name || "level").replace(/[^A-Za-z0-9_-]+/g, "_");
    download(`${JSON.stringify(toFile(editor.draft), null, 1)}\n`, `${name}.json`, "application/json");
  }

  async share() {
    const link = await linkOf(toFile(this.studio.editor.draft));
    history.replaceState(null, "", link.slice(location.origin.length));
    try {
      await navigator.clipboard.writeText(link);
      toast("Link copied: it holds the whole level.");
    } catch {
      await dialog((close) => [element("h2", { text: "A link that holds the level" }), element("input", { type: "text", value: link, readonly: true }), element("div", { class: "buttons" }, element("button", { class: "primary", text: "Done", on: { click: () => close() } }))]);
    }
  }
}
