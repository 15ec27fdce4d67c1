// Where shapes touch: minicosm/envs/physics/engine/collide.py, for W worlds and one pair of shapes at a time.

#ifndef MINICOSM_KERNELS_RIGID_COLLIDE_H_
#define MINICOSM_KERNELS_RIGID_COLLIDE_H_

#include "rigid_world.h"

namespace minicosm {
inline namespace MINICOSM_ISA {

constexpr float kFar = 1e9f;      // m: a separation that stands for "no such edge"
constexpr float kPreferA = 1e-3f;  // m: so much better must the second polygon's edge be
constexpr float kTiny = 1e-12f;

// How two shapes a and b face each other.
template <int W>
struct Manifold {
  V<W> normal_x, normal_y;  // from a to b
  V<W> x[2], y[2];          // m, half-way between the surfaces
  V<W> separation[2];       // m, negative where they overlap; kFar for a point that is absent
};

// A polygon's corners by coordinates; N is room for them, `count` how many there are.
template <int W, int N>
struct Corners {
  V<W> x[N], y[N], normal_x[N], normal_y[N];
  M<W> is_edge[N];
};

template <int W, int N>
MINICOSM_FN void read_corners(const RigidWorld<W>& world, int polygon, int count, Corners<W, N>& out) {
  const Array<W> corners = world.corners.at(polygon * count * 4);
  for (int k = 0; k < count; k++) {
    out.x[k] = corners[4 * k];
    out.y[k] = corners[4 * k + 1];
    out.normal_x[k] = corners[4 * k + 2];
    out.normal_y[k] = corners[4 * k + 3];
    out.is_edge[k] = (out.normal_x[k] != 0.0f) | (out.normal_y[k] != 0.0f);
  }
}

// values[index] and values[index + 1], index per lane, going round.
template <int W, int N>
MINICOSM_FN void at_edge(const V<W> (&values)[N], I<W> index, int count, V<W>& first, V<W>& second) {
  first = values[0];
  second = values[1];
  for (int k = 1; k < count; k++) {
    const M<W> here = index == k;
    first = select(here, values[k], first);
    second = select(here, values[k + 1 < count ? k + 1 : 0], second);
  }
}

// How far `b` stays above each edge of `a`, m.
template <int W, int N>
MINICOSM_FN void above_edges(const Corners<W, N>& a, const Corners<W, N>& b, int count, V<W> (&above)[N]) {
#ifndef __CUDACC__
  if constexpr (W == 1 && N == 4) {
    if (count == 4) {  // the edges of one world's polygon, side by side in a vector
      const V<4> x = load<4>(a.x), y = load<4>(a.y), normal_x = load<4>(a.normal_x), normal_y = load<4>(a.normal_y);
      V<4> nearest = splat<4>(kFar);
      for (int j = 0; j < 4; j++) nearest = min(nearest, (b.x[j] - x) * normal_x + (b.y[j] - y) * normal_y);
      store(above, nearest);
      return;
    }
  }
#endif
  for (int k = 0; k < count; k++) {
    above[k] = splat<W>(kFar);
    for (int j = 0; j < count; j++) {
      above[k] = min(above[k], (b.x[j] - a.x[k]) * a.normal_x[k] + (b.y[j] - a.y[k]) * a.normal_y[k]);
    }
  }
}

// The greatest separation of `b` along an edge normal of `a`, and that edge.
template <int W, int N>
MINICOSM_FN V<W> best_edge(const Corners<W, N>& a, const Corners<W, N>& b, int count, I<W>& edge) {
  V<W> best = splat<W>(-kFar), above[N];
  above_edges<W, N>(a, b, count, above);
  edge = I<W>{};
  for (int k = 0; k < count; k++) {
    const M<W> better = a.is_edge[k] & (above[k] > best);
    best = select(better, above[k], best);
    edge = select(better, splat_int<W>(k), edge);
  }
  return best;
}

// False where no lane of `wanted` can have a point nearer than `margin`; the manifold is then left alone.
template <int W, int N>
MINICOSM_PART bool polygon_polygon(const Corners<W, N>& a, const Corners<W, N>& b, int count, M<W> wanted, V<W> margin,
                                 Manifold<W>& out) {
  I<W> edge_a, edge_b;
  const V<W> separation_a = best_edge<W, N>(a, b, count, edge_a);
  if (!any_of(wanted & (separation_a < margin))) return false;
  const V<W> separation_b = best_edge<W, N>(b, a, count, edge_b);
  if (!any_of(wanted & (separation_a < margin) & (separation_b < margin))) return false;
  const M<W> use_b = separation_b > separation_a + kPreferA;
  Corners<W, N> reference, incident;
  for (int k = 0; k < count; k++) {
    reference.x[k] = select(use_b, b.x[k], a.x[k]);
    reference.y[k] = select(use_b, b.y[k], a.y[k]);
    reference.normal_x[k] = select(use_b, b.normal_x[k], a.normal_x[k]);
    reference.normal_y[k] = select(use_b, b.normal_y[k], a.normal_y[k]);
    incident.x[k] = select(use_b, a.x[k], b.x[k]);
    incident.y[k] = select(use_b, a.y[k], b.y[k]);
    incident.normal_x[k] = select(use_b, a.normal_x[k], b.normal_x[k]);
    incident.normal_y[k] = select(use_b, a.normal_y[k], b.normal_y[k]);
  }
  const I<W> edge = select(use_b, edge_b, edge_a);
  V<W> nx, ny, x0, y0, x1, y1, unused;
  at_edge<W, N>(reference.normal_x, edge, count, nx, unused);
  at_edge<W, N>(reference.normal_y, edge, count, ny, unused);
  at_edge<W, N>(reference.x, edge, count, x0, x1);
  at_edge<W, N>(reference.y, edge, count, y0, y1);

  V<W> least = splat<W>(kFar);
  I<W> opposite{};
  for (int k = 0; k < count; k++) {
    const M<W> is_edge = (incident.normal_x[k] != 0.0f) | (incident.normal_y[k] != 0.0f);
    const V<W> facing = incident.normal_x[k] * nx + incident.normal_y[k] * ny;
    const M<W> better = is_edge & (facing < least);
    least = select(better, facing, least);
    opposite = select(better, splat_int<W>(k), opposite);
  }
  V<W> ux, uy, wx, wy;
  at_edge<W, N>(incident.x, opposite, count, ux, wx);
  at_edge<W, N>(incident.y, opposite, count, uy, wy);

  const V<W> length = (y1 - y0) * nx - (x1 - x0) * ny;
  const V<W> along_u = (uy - y0) * nx - (ux - x0) * ny;
  const V<W> along_w = (wy - y0) * nx - (wx - x0) * ny;
  const V<W> span = along_u - along_w;
  const V<W> per_span = 1.0f / select(abs(span) > 1e-9f, span, splat<W>(1.0f));
  V<W> x[2], y[2], separation[2];
  for (int k = 0; k < 2; k++) {
    const V<W> kept = min(max(k ? along_u : along_w, splat<W>(0.0f)), length);
    const V<W> fraction = min(max((kept - along_w) * per_span, splat<W>(0.0f)), splat<W>(1.0f));
    const V<W> px = wx + fraction * (ux - wx), py = wy + fraction * (uy - wy);
    separation[k] = (px - x0) * nx + (py - y0) * ny;
    x[k] = px - 0.5f * separation[k] * nx;
    y[k] = py - 0.5f * separation[k] * ny;
  }
  for (int k = 0; k < 2; k++) {
    out.x[k] = select(use_b, x[1 - k], x[k]);
    out.y[k] = select(use_b, y[1 - k], y[k]);
    out.separation[k] = select(use_b, separation[1 - k], separation[k]);
  }
  out.normal_x = select(use_b, -nx, nx);
  out.normal_y = select(use_b, -ny, ny);
  return true;
}

template <int W>
MINICOSM_FN void one_point(V<W> nx, V<W> ny, V<W> x, V<W> y, V<W> separation, Manifold<W>& out) {
  out.normal_x = nx;
  out.normal_y = ny;
  out.x[0] = out.x[1] = x;
  out.y[0] = out.y[1] = y;
  out.separation[0] = separation;
  out.separation[1] = splat<W>(kFar);
}

template <int W, int N>
MINICOSM_PART void polygon_circle(const Corners<W, N>& a, int count, V<W> x, V<W> y, V<W> radius, Manifold<W>& out) {
  V<W> depth = splat<W>(-kFar), face_x{}, face_y{}, least = splat<W>(kFar), gap_x{}, gap_y{};
  for (int k = 0; k < count; k++) {
    const int next = k + 1 < count ? k + 1 : 0;
    const V<W> to_x = x - a.x[k], to_y = y - a.y[k];
    const V<W> outside = to_x * a.normal_x[k] + to_y * a.normal_y[k];
    const M<W> deeper = a.is_edge[k] & (outside > depth);
    depth = select(deeper, outside, depth);
    face_x = select(deeper, a.normal_x[k], face_x);
    face_y = select(deeper, a.normal_y[k], face_y);
    const V<W> ahead_x = -a.normal_y[k], ahead_y = a.normal_x[k];  // along the edge
    const V<W> length = (a.x[next] - a.x[k]) * ahead_x + (a.y[next] - a.y[k]) * ahead_y;
    const V<W> along = min(max(to_x * ahead_x + to_y * ahead_y, splat<W>(0.0f)), length);
    const V<W> dx = to_x - along * ahead_x, dy = to_y - along * ahead_y;
    const V<W> distance_squared = dx * dx + dy * dy;
    const M<W> nearer = a.is_edge[k] & (distance_squared < least);
    least = select(nearer, distance_squared, least);
    gap_x = select(nearer, dx, gap_x);
    gap_y = select(nearer, dy, gap_y);
  }
  const V<W> distance = sqrt(max(least, splat<W>(kTiny))), per_distance = 1.0f / distance;
  const M<W> is_outside = depth > 1e-6f;
  const V<W> nx = select(is_outside, gap_x * per_distance, face_x), ny = select(is_outside, gap_y * per_distance, face_y);
  const V<W> separation = select(is_outside, distance, depth) - radius;
  const V<W> back = radius + 0.5f * separation;
  one_point<W>(nx, ny, x - back * nx, y - back * ny, separation, out);
}

template <int W>
MINICOSM_FN void circle_circle(V<W> ax, V<W> ay, V<W> radius_a, V<W> bx, V<W> by, V<W> radius_b, Manifold<W>& out) {
  const V<W> dx = bx - ax, dy = by - ay;
  const V<W> distance_squared = dx * dx + dy * dy;
  const M<W> apart = distance_squared > kTiny;
  const V<W> distance = sqrt(max(distance_squared, splat<W>(kTiny))), per_distance = 1.0f / distance;
  const V<W> nx = select(apart, dx * per_distance, splat<W>(0.0f)), ny = select(apart, dy * per_distance, splat<W>(1.0f));
  const V<W> separation = distance - radius_a - radius_b;
  const V<W> ahead = radius_a + 0.5f * separation;
  one_point<W>(nx, ny, ax + ahead * nx, ay + ahead * ny, separation, out);
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_COLLIDE_H_
