// A map, its robots and what they see.

const LOOK = {
  light: { around: "#e9e7e1", floor: "#faf9f6", grid: "#edece7", wall: "#586475", edge: "#384150", glyph: "#ffffff", alarm: "#d0242e" },
  dark: { around: "#14171d", floor: "#1c1f27", grid: "#252932", wall: "#56606f", edge: "#7a8598", glyph: "#ffffff", alarm: "#ff5a62" },
};
const [, ARRIVED, COLLIDED, ABSENT] = [0, 1, 2, 3];

const css = (c, alpha = 1) => `rgb(${c[0]} ${c[1]} ${c[2]} / ${alpha})`;

/** `maps` has level, run, player, making, driven, dark and robotsNow(). */
export function drawMap(ctx, { scale, left, top }, maps) {
  const { run, level } = maps, look = LOOK[maps.dark ? "dark" : "light"];
  ctx.fillStyle = look.around;
  ctx.fillRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  ctx.save();
  ctx.translate(left, top);
  ground(ctx, run, level, scale, look);
  const colour = (i) => run.palette[i % run.palette.length];
  const middle = ([column, row]) => [(column + 0.5) * scale, (row + 0.5) * scale];
  const scene = maps.player.scene, radius = (scene?.radius ?? 0.36) * scale, goalRadius = (scene?.goal_radius ?? 0.36) * scale;
  const robots = maps.robotsNow(), onPage = ([x, y]) => [x * scale, (run.height - y) * scale];
  robots.forEach((robot, i) => { if (robot[5] && robot[3] === 0) fan(ctx, robot, scale, run, { colour: colour(i), reach: scene.range }); });
  walls(ctx, level, scale, look);
  level.robots.forEach((robot, i) => target(ctx, middle(robot.goal), goalRadius, colour(i)));
  if (!robots.length) level.robots.forEach((robot, i) => disc(ctx, middle(robot.start), 0, radius, colour(i), look, 0));
  robots.forEach((robot, i) => { if (robot[3] !== ABSENT) disc(ctx, onPage(robot), robot[2], radius, colour(i), look, robot[3], maps.driven === i); });
  if (maps.making) {
    const [from, to] = [middle(maps.making.start), middle(maps.making.goal)], next = colour(Math.min(level.robots.length, run.robots - 1));
    disc(ctx, from, 0, radius, next, look, 0);
    target(ctx, to, goalRadius, next);
    ctx.strokeStyle = css(next);
    ctx.setLineDash([6, 6]);
    ctx.beginPath(); ctx.moveTo(...from); ctx.lineTo(...to); ctx.stroke();
    ctx.setLineDash([]);
  }
  if (maps.cursor && document.activeElement === maps.canvas) {
    ctx.strokeStyle = look.alarm;
    ctx.lineWidth = 3;
    ctx.strokeRect(maps.cursor[0] * scale + 2, maps.cursor[1] * scale + 2, scale - 4, scale - 4);
  }
  ctx.restore();
}

function ground(ctx, run, level, scale, look) {
  const [w, h] = [run.width * scale, run.height * scale];
  ctx.fillStyle = look.floor;
  ctx.fillRect(0, 0, w, h);
  ctx.strokeStyle = look.grid;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let x = 0; x <= run.width; x++) { ctx.moveTo(x * scale, 0); ctx.lineTo(x * scale, h); }
  for (let y = 0; y <= run.height; y++) { ctx.moveTo(0, y * scale); ctx.lineTo(w, y * scale); }
  ctx.stroke();
  ctx.strokeStyle = look.edge;
  ctx.lineWidth = 2;
  ctx.strokeRect(0, 0, w, h);
}

function walls(ctx, level, scale, look) {
  const each = (call) => level.rows.forEach((line, row) => [...line].forEach((c, column) => { if (c === "#") call(column * scale, row * scale); }));
  ctx.fillStyle = look.edge;
  each((x, y) => ctx.fillRect(x - 1.5, y - 1.5, scale + 3, scale + 3));
  ctx.fillStyle = look.wall;
  each((x, y) => ctx.fillRect(x - 0.3, y - 0.3, scale + 0.6, scale + 0.6));
}

/** What a lidar sees: the polygon through the ends of its beams. */
function fan(ctx, [x, y, heading, , , ranges], scale, run, { colour, reach }) {
  const turn = (2 * Math.PI) / ranges.length;
  ctx.beginPath();
  ranges.forEach((range, k) => {
    const angle = heading + k * turn;
    ctx[k ? "lineTo" : "moveTo"]((x + range * Math.cos(angle)) * scale, (run.height - y - range * Math.sin(angle)) * scale);
  });
  ctx.closePath();
  const centre = [x * scale, (run.height - y) * scale], fade = ctx.createRadialGradient(...centre, 0, ...centre, reach * scale);
  fade.addColorStop(0, css(colour, 0.3));
  fade.addColorStop(1, css(colour, 0.02));
  ctx.fillStyle = fade;
  ctx.fill();
}

function target(ctx, at, radius, colour) {
  ctx.fillStyle = css(colour, 0.2);
  ctx.strokeStyle = css(colour);
  ctx.lineWidth = Math.max(1.5, 0.14 * radius);
  ctx.beginPath(); ctx.arc(...at, radius, 0, 7); ctx.fill(); ctx.stroke();
  ctx.fillStyle = css(colour);
  ctx.beginPath(); ctx.arc(...at, 0.3 * radius, 0, 7); ctx.fill();
}

function disc(ctx, at, heading, radius, colour, look, fares, isDriven = false) {
  ctx.save();
  ctx.shadowColor = "rgb(20 24 34 / .35)";
  ctx.shadowBlur = radius * 0.5;
  ctx.shadowOffsetY = radius * 0.2;
  ctx.fillStyle = css(colour);
  ctx.beginPath(); ctx.arc(...at, radius, 0, 7); ctx.fill();
  ctx.restore();
  ctx.strokeStyle = fares === COLLIDED ? look.alarm : css(colour.map((c) => Math.round(c * 0.6)));
  ctx.lineWidth = Math.max(1.5, (fares === COLLIDED ? 0.3 : 0.14) * radius);
  ctx.beginPath(); ctx.arc(...at, radius, 0, 7); ctx.stroke();
  ctx.save();
  ctx.translate(...at);
  ctx.fillStyle = ctx.strokeStyle = look.glyph;
  ctx.lineWidth = 0.22 * radius;
  ctx.lineCap = ctx.lineJoin = "round";
  const line = (...points) => { ctx.beginPath(); points.forEach(([x, y], i) => ctx[i ? "lineTo" : "moveTo"](x * radius, y * radius)); ctx.stroke(); };
  if (fares === ARRIVED) line([-0.42, 0], [-0.12, 0.3], [0.44, -0.36]);
  else if (fares === COLLIDED) { line([-0.36, -0.36], [0.36, 0.36]); line([-0.36, 0.36], [0.36, -0.36]); }
  else {
    ctx.rotate(-heading);
    ctx.beginPath();
    [[0.7, 0], [-0.5, 0.5], [-0.22, 0], [-0.5, -0.5]].forEach(([x, y], i) => ctx[i ? "lineTo" : "moveTo"](x * radius, y * radius));
    ctx.fill();
  }
  ctx.restore();
  if (!isDriven) return;
  ctx.strokeStyle = css(colour);
  ctx.lineWidth = 2;
  ctx.setLineDash([4, 4]);
  ctx.beginPath(); ctx.arc(...at, radius * 1.5, 0, 7); ctx.stroke();
  ctx.setLineDash([]);
}
