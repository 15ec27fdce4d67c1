// Points are [x, y] in metres, y up; angles in radians anticlockwise; polygons are lists of corners.

export const add = (a, b) => [a[0] + b[0], a[1] + b[1]];
export const sub = (a, b) => [a[0] - b[0], a[1] - b[1]];
export const scaled = (a, k) => [a[0] * k, a[1] * k];
export const length = (a) => Math.hypot(a[0], a[1]);
export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
export const cross = (a, b) => a[0] * b[1] - a[1] * b[0];
export const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

export function turned(point, angle) {
  const cos = Math.cos(angle), sin = Math.sin(angle);
  return [cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]];
}

/** A point of a body's frame in the world; a pose is [x, y, rotation]. */
export const toWorld = (point, pose) => add(turned(point, pose[2]), pose);
export const toBody = (point, pose) => turned(sub(point, pose), -pose[2]);
export const about = (point, pivot, angle) => add(turned(sub(point, pivot), angle), pivot);

/** Signed: above zero for corners that run anticlockwise. */
export function area(corners) {
  let sum = 0;
  for (let i = 0; i < corners.length; i++) sum += cross(corners[i], corners[(i + 1) % corners.length]);
  return sum / 2;
}

export function centroid(corners) {
  let x = 0, y = 0, total = 0;
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % corners.length], part = cross(a, b);
    x += (a[0] + b[0]) * part; y += (a[1] + b[1]) * part; total += part;
  });
  if (Math.abs(total) < 1e-9) return scaled(corners.reduce(add, [0, 0]), 1 / corners.length);
  return [x / (3 * total), y / (3 * total)];
}

export function isConvex(corners) {
  let sign = 0;
  for (let i = 0; i < corners.length; i++) {
    const a = corners[i], b = corners[(i + 1) % corners.length], c = corners[(i + 2) % corners.length];
    const turn = cross(sub(b, a), sub(c, b));
    if (Math.abs(turn) < 1e-6) return false;
    if (sign && Math.sign(turn) !== sign) return false;
    sign = Math.sign(turn);
  }
  return corners.length >= 3;
}

/** The convex outline round some points, anticlockwise (A. M. Andrew's monotone chain). */
export function hull(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (list) => {
    const chain = [];
    for (const p of list) {
      while (chain.length > 1 && cross(sub(chain.at(-1), chain.at(-2)), sub(p, chain.at(-1))) <= 1e-9) chain.pop();
      chain.push(p);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

export function isInside(point, corners) {
  const sign = Math.sign(area(corners)) || 1;
  return corners.every((a, i) => sign * cross(sub(corners[(i + 1) % corners.length], a), sub(point, a)) >= 0);
}

export function fromSegment(point, a, b) {
  const along = sub(b, a), squared = along[0] ** 2 + along[1] ** 2;
  const share = squared ? Math.max(0, Math.min(1, ((point[0] - a[0]) * along[0] + (point[1] - a[1]) * along[1]) / squared)) : 0;
  return distance(point, add(a, scaled(along, share)));
}

/** The upright box round some points: [left, bottom, right, top]. */
export function boundsOf(points) {
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Four decimals: a tenth of a millimetre is finer than anybody draws. */
export const rounded = (value) => Math.round(value * 1e4) / 1e4 || 0;
export const roundedPoint = (point) => point.map(rounded);
export const toGrid = (value, step) => Math.round(value / step) * step;
