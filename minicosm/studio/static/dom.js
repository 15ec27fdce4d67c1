// Elements without a framework.

/** element("button", {class, text, title, on: {click}, ...attributes}, ...children) */
export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [kind, call] of Object.entries(value)) made.addEventListener(kind, call);
    else if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name === "value") made.value = value;
    else if (name === "checked") made.checked = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** An icon from the inside of an <svg>, which is written in this project's own source. */
export function icon(inside, filled = false) {
  const holder = document.createElement("template");
  holder.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"${filled ? ' class="filled"' : ""}>${inside}</svg>`;
  return holder.content.firstChild;
}

export const $ = (id) => document.getElementById(id);

export function toast(text, isBad = false) {
  const shown = element("div", { class: isBad ? "toast bad" : "toast", text });
  $("toasts").append(shown);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => shown.remove(), isBad ? 7000 : 3500);
}

export const announce = (text) => { $("announce").textContent = text; };

let closeMenu = () => {};

/** A menu below a button, or above one that stands low. `items` are {text, key, run, isOff: why}, "-", {heading} or {label, row: [{text, run}]}. */
export function menu(button, items) {
  const isOpen = document.querySelector(".menu")?.dataset.of === button.id;
  closeMenu();
  if (isOpen) return;
  const closeAll = () => closeMenu();
  const outside = (event) => { if (!event.target.closest(".menu") && !button.contains(event.target)) closeAll(); };
  const leave = (event) => { // wherever the focus is
    if (event.key !== "Escape") return;
    closeAll();
    button.focus();
    event.stopPropagation();
  };
  closeMenu = () => {
    document.querySelector(".menu")?.remove();
    document.removeEventListener("pointerdown", outside, true);
    document.removeEventListener("keydown", leave, true);
    closeMenu = () => {};
  };
  const entry = (item) => element("button", { role: "menuitem", disabled: Boolean(item.isOff), title: item.isOff || null, on: { click: () => { closeAll(); item.run(); } } }, item.icon || null, item.text, item.key ? element("kbd", { text: item.key }) : null);
  const box = element("div", { class: "menu", role: "menu" }, ...items.map((item) => {
    if (item === "-") return element("hr");
    if (item.heading) return element("h4", { text: item.heading });
    if (item.row) return element("div", { class: "row" }, element("span", { text: item.label }), ...item.row.map(entry));
    return entry(item);
  }));
  box.dataset.of = button.id;
  const at = button.getBoundingClientRect();
  $("menus").append(box);
  const isLow = at.bottom + 6 + box.offsetHeight > innerHeight && at.top > box.offsetHeight;
  box.style.top = `${isLow ? at.top - 6 - box.offsetHeight : at.bottom + 6}px`;
  box.style.left = `${Math.max(6, Math.min(at.left, innerWidth - box.offsetWidth - 6))}px`;
  box.addEventListener("keydown", (event) => {
    const all = [...box.querySelectorAll("button:enabled")], now = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      all[(now + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length].focus();
      event.preventDefault();
      event.stopPropagation();
    }
  });
  box.querySelector("button:enabled")?.focus({ focusVisible: false });
  document.addEventListener("pointerdown", outside, true);
  document.addEventListener("keydown", leave, true);
}

/** A dialog; `build(close)` gives its contents. Resolves with what `close` is called with. */
export function dialog(build, kind = "") {
  return new Promise((resolve) => {
    const box = element("dialog", { class: kind });
    const close = (result) => { box.close(); box.remove(); resolve(result); };
    box.append(...build(close));
    box.addEventListener("cancel", (event) => { event.preventDefault(); close(null); });
    box.addEventListener("pointerdown", (event) => { if (event.target === box) close(null); });
    box.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(box);
    box.showModal();
  });
}

export function ask(title, value, action) {
  return dialog((close) => {
    const input = element("input", { type: "text", value, maxlength: 64, "aria-label": title, id: "ask" });
    const form = element("form", { method: "dialog", on: { submit: (event) => { event.preventDefault(); close(input.value.trim() || null); } } },
      element("h2", { text: title }), input,
      element("div", { class: "buttons" },
        element("button", { type: "button", text: "Cancel", on: { click: () => close(null) } }),
        element("button", { class: "primary", text: action })));
    setTimeout(() => { input.focus(); input.select(); });
    return [form];
  });
}

export const confirmed = (title, text, action) => dialog((close) => [
  element("h2", { text: title }), element("p", { text }),
  element("div", { class: "buttons" },
    element("button", { text: "Cancel", on: { click: () => close(false) } }),
    element("button", { class: "primary", text: action, on: { click: () => close(true) } })),
]);

export function download(content, name, type) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Size a canvas for the screen's pixels; gives its context, in pixels of the page. */
export function fitted(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}
