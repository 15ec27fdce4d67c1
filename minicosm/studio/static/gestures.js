// Mouse, trackpad, pen and touch on the canvas, told apart: one pointer draws, two (or a wheel) move the view.
import { distance, middle } from "./geometry.js";

/**
 * `on` has press, drag, release, hover, cancel, doublePress (each with a point in pixels and the event) and view(), called
 * when the camera has moved.
 */
export function listen(canvas, camera, on) {
  const pointers = new Map();
  let mode = null; // "tool", "pan" or "pinch"
  let last = null;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pair = () => [...pointers.values()].slice(0, 2);

  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that left already */ }
    pointers.set(event.pointerId, at(event));
    if (pointers.size === 2) {
      if (mode === "tool") on.cancel();
      mode = "pinch";
      last = pair();
    } else if (pointers.size === 1) {
      mode = event.button === 1 || event.button === 2 || on.pans?.() ? "pan" : "tool";
      last = at(event);
      if (mode === "tool") on.press(at(event), event);
    }
    event.preventDefault();
  });

  canvas.addEventListener("pointermove", (event) => {
    const point = at(event);
    if (!pointers.has(event.pointerId)) {
      on.hover(point, event);
      return;
    }
    pointers.set(event.pointerId, point);
    if (mode === "pinch" && pointers.size >= 2) {
      const now = pair(), [was, is] = [middle(...last), middle(...now)];
      camera.pan(is[0] - was[0], is[1] - was[1]);
      camera.zoom(distance(...now) / Math.max(1, distance(...last)), is);
      last = now;
      on.view();
    } else if (mode === "pan") {
      camera.pan(point[0] - last[0], point[1] - last[1]);
      last = point;
      on.view();
    } else if (mode === "tool") {
      on.drag(point, event);
    }
  });

  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (mode === "tool") {
      if (event.type === "pointerup") on.release(at(event), event);
      else on.cancel();
      mode = null;
    } else if (pointers.size === 0) {
      mode = null;
    } else if (mode === "pinch" && pointers.size === 1) {
      mode = "pan";
      [last] = pointers.values();
    }
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("dblclick", (event) => on.doublePress(at(event), event));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? 400 : 1;
    const isWheel = event.deltaX === 0 && Math.abs(event.deltaY * unit) >= 80 && Number.isInteger(event.deltaY);
    if (event.ctrlKey || event.metaKey || isWheel) {
      const speed = event.ctrlKey && !isWheel ? 0.012 : 0.0022;
      camera.zoom(Math.exp(-event.deltaY * unit * speed), at(event));
    } else {
      camera.pan(-event.deltaX * unit, -event.deltaY * unit);
    }
    on.view();
  }, { passive: false });
}
