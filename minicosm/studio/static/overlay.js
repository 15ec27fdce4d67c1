// What is drawn over the level while it is edited: the selection, its handles, problems, limits, what is being made.
import { toWorld, turned } from "./geometry.js";
import { css, tracePath } from "./paint.js";
import { partOf, thrusterAt } from "./edits.js";
import { poseOf, shapeOf } from "./level.js";
import { handlesOf } from "./selection.js";

const ACCENT = { light: [36, 100, 226], dark: [122, 162, 255] }, BAD = [222, 40, 52];

export function paintOverlay(ctx, editor, scene, poseOfSlot, isDark) {
  const { draft, camera, selection, problems } = editor, accent = ACCENT[isDark ? "dark" : "light"];
  const bySlot = new Map(scene.shapes.map((s) => [s.id, s]));
  const outline = (id, colour, width, dash = []) => {
    const shape = bySlot.get(id);
    if (!shape) return;
    ctx.setLineDash(dash);
    ctx.lineWidth = width;
    ctx.strokeStyle = css(colour);
    tracePath(ctx, camera, shape, poseOfSlot(shape.slot), shape.outline ? 0 : 1);
    ctx.stroke();
    ctx.setLineDash([]);
  };
  const faulty = new Set(problems.flatMap((p) => p.shapes));
  for (const id of faulty) outline(id, BAD, 3, [7, 5]);
  if (editor.hovered && !selection.has(editor.hovered)) glow(ctx, editor, editor.hovered, outline, accent.concat(), 1.5);
  for (const key of selection) glow(ctx, editor, key, outline, accent, 2.5);
  for (const id of faulty) badge(ctx, camera, draft, id);
  for (const problem of problems) {
    for (const j of problem.joints) if (draft.joints[j]) exclaim(ctx, camera.toScreen(draft.joints[j].at), 14);
    for (const t of problem.thrusters) if (draft.thrusters[t]) exclaim(ctx, camera.toScreen(thrusterAt(draft, draft.thrusters[t])), 14);
  }
  tell(ctx, editor);
  if (editor.tool === "select") handles(ctx, editor, accent, isDark);
  marquee(ctx, editor, accent);
  making(ctx, editor, accent);
}

function glow(ctx, editor, key, outline, colour, width) {
  const { draft, camera } = editor, part = partOf(key);
  if (part.kind === "shape") return outline(part.id, colour, width);
  const item = draft[`${part.kind}s`][part.index];
  if (!item) return;
  const at = camera.toScreen(part.kind === "joint" ? item.at : thrusterAt(draft, item));
  ctx.strokeStyle = css(colour);
  ctx.lineWidth = width;
  ctx.beginPath();
  ctx.arc(...at, Math.max(13, 0.17 * camera.scale), 0, 7);
  ctx.stroke();
  if (part.kind === "joint" && width > 2) {
    for (const id of [item.a, item.b]) { ctx.globalAlpha = 0.5; outline(id, colour, 1.5, [4, 4]); ctx.globalAlpha = 1; }
    if (item.limits) limits(ctx, camera, draft, item, at, colour);
  }
}

/** What is wrong with the shape, joint or thruster that is pointed at or selected, in words beside it. */
function tell(ctx, editor) {
  const { draft, camera, problems } = editor;
  const isFaulty = (key) => problems.find((p) => {
    const part = partOf(key);
    return part.kind === "shape" ? p.shapes.includes(part.id) : p[`${part.kind}s`].includes(part.index);
  });
  const key = [editor.hovered, ...editor.selection].find((one) => one && isFaulty(one));
  if (!key) return;
  const part = partOf(key), item = part.kind === "shape" ? shapeOf(draft, part.id) : draft[`${part.kind}s`][part.index];
  const place = part.kind === "shape" ? item.position : part.kind === "joint" ? item.at : thrusterAt(draft, item);
  const { text } = isFaulty(key), [x, y] = camera.toScreen(place);
  ctx.font = "600 12.5px system-ui, sans-serif";
  const lines = wrapped(ctx, text, 320), wide = Math.max(...lines.map((line) => ctx.measureText(line).width)) + 18, tall = 17 * lines.length + 9;
  const left = Math.max(camera.inset.left + 6, Math.min(camera.width - camera.inset.right - wide - 6, x - wide / 2));
  const top = Math.max(6, y - 0.45 * camera.scale - 26 - tall);
  ctx.beginPath();
  ctx.roundRect(left, top, wide, tall, 8);
  ctx.fillStyle = css(BAD);
  ctx.fill();
  ctx.fillStyle = "#fff";
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  lines.forEach((line, i) => ctx.fillText(line, left + 9, top + 13.5 + 17 * i));
}

/** The text in lines of at most so many pixels. */
function wrapped(ctx, text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (ctx.measureText(longer).width > most && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** The angles between which shape b may turn, about how it points now. */
function limits(ctx, camera, draft, joint, at, colour) {
  const a = shapeOf(draft, joint.a), b = shapeOf(draft, joint.b);
  const towards = Math.atan2(b.position[1] - joint.at[1], b.position[0] - joint.at[0]);
  const now = joint.rest_angle == null ? 0 : b.rotation - a.rotation - joint.rest_angle;
  const [low, high] = joint.limits.map((angle) => -(towards + angle - now));
  ctx.beginPath();
  ctx.moveTo(...at);
  ctx.arc(...at, 0.34 * camera.scale, high, low);
  ctx.closePath();
  ctx.fillStyle = css(colour, 0.18);
  ctx.fill();
  ctx.stroke();
}

function badge(ctx, camera, draft, id) {
  const shape = draft.shapes.find((s) => s.id === id);
  if (!shape) return;
  const reach = shape.circle ?? 0.3;
  const [x, y] = camera.toScreen(toWorld(turned([reach * 0.7, reach * 0.7], -shape.rotation), poseOf(shape)));
  exclaim(ctx, [x, y], 0);
}

function exclaim(ctx, [x, y], up) {
  ctx.beginPath();
  ctx.arc(x, y - up, 10, 0, 7);
  ctx.fillStyle = css(BAD);
  ctx.fill();
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = 2;
  ctx.stroke();
  ctx.fillStyle = "#fff";
  ctx.font = "800 13px system-ui, sans-serif";
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText("!", x, y - up + 0.5);
}

function handles(ctx, editor, accent, isDark) {
  const { camera, draft, selection } = editor;
  for (const handle of handlesOf(draft, selection, camera)) {
    const [x, y] = camera.toScreen(handle.at);
    ctx.strokeStyle = css(accent);
    ctx.lineWidth = 2;
    if (handle.from) {
      ctx.beginPath();
      ctx.moveTo(...camera.toScreen(handle.from));
      ctx.lineTo(x, y);
      ctx.stroke();
    }
    ctx.fillStyle = isDark ? "#1c1f27" : "#fff";
    ctx.beginPath();
    if (handle.name === "corner" || handle.name === "scale") ctx.roundRect(x - 5.5, y - 5.5, 11, 11, 2.5);
    else ctx.arc(x, y, 6, 0, 7);
    ctx.fill();
    ctx.stroke();
    if (handle.name === "turn") {
      ctx.beginPath();
      ctx.lineWidth = 1.6;
      ctx.arc(x, y, 2.6, 0.6, 5.4);
      ctx.stroke();
    }
  }
}

function marquee(ctx, editor, accent) {
  if (!editor.marquee) return;
  const [from, to] = editor.marquee.map((p) => editor.camera.toScreen(p));
  ctx.fillStyle = css(accent, 0.1);
  ctx.strokeStyle = css(accent);
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.rect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
  ctx.fill();
  ctx.stroke();
}

function making(ctx, editor, accent) {
  const { corners } = editor.tools;
  if (editor.tool !== "polygon" || !corners.length) return;
  const points = [...corners, ...(editor.pointer ? [editor.pointer] : [])].map((p) => editor.camera.toScreen(p));
  ctx.strokeStyle = css(accent);
  ctx.fillStyle = css(accent, 0.12);
  ctx.lineWidth = 2;
  ctx.beginPath();
  points.forEach((p, i) => ctx[i ? "lineTo" : "moveTo"](...p));
  ctx.closePath();
  ctx.fill();
  ctx.stroke();
  for (const [x, y] of points.slice(0, corners.length)) {
    ctx.beginPath();
    ctx.arc(x, y, 5, 0, 7);
    ctx.fillStyle = css(accent);
    ctx.fill();
  }
}

