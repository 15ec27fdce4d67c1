// One tick of rigid bodies: minicosm/envs/physics/engine/reference.py, for W worlds at a time.

#ifndef MINICOSM_KERNELS_RIGID_TICK_H_
#define MINICOSM_KERNELS_RIGID_TICK_H_

#include "rigid_prepare.h"

namespace minicosm {
inline namespace MINICOSM_ISA {

// Adds gravity and thrust to the velocities, and keeps them within the greatest speed and spin.
template <int W>
MINICOSM_FN void integrate_velocities(const RigidBatch& b, const RigidWorld<W>& world) {
  const int free = b.num_shapes() - b.num_walls;
  for (int i = 0; i < free; i++) {
    const Velocity<W> v = read_velocity<W>(world.velocity, i), push = read_velocity<W>(world.push, i);
    write_velocity<W>(world.velocity, i, {v.x + push.x, v.y + push.y, v.turn + push.turn});
  }
}

template <int W>
MINICOSM_FN void clamp_velocities(const RigidBatch& b, const RigidWorld<W>& world) {
  const int free = b.num_shapes() - b.num_walls;
  const V<W> one = splat<W>(1.0f), limit = splat<W>(b.settings.max_speed), spin = splat<W>(b.settings.max_spin);
  for (int i = 0; i < free; i++) {
    Velocity<W> v = read_velocity<W>(world.velocity, i);
    const V<W> speed_squared = v.x * v.x + v.y * v.y;
    const M<W> is_over = speed_squared > limit * limit;
    if (any_of(is_over)) {
      const V<W> scale = select(is_over, limit / sqrt(select(is_over, speed_squared, one)), one);
      v.x = v.x * scale;
      v.y = v.y * scale;
    }
    v.turn = min(max(v.turn, -spin), spin);
    write_velocity<W>(world.velocity, i, v);
  }
}

// Positions after a sub-step; the turn's cosine and sine by their series, which max_spin keeps short.
template <int W>
MINICOSM_FN void integrate_positions(const RigidBatch& b, const RigidWorld<W>& world) {
  const int free = b.num_shapes() - b.num_walls;
  const float step = b.settings.step;
  for (int i = 0; i < free; i++) {
    const Velocity<W> v = read_velocity<W>(world.velocity, i), moved = read_velocity<W>(world.moved, i);
    const V<W> turn = step * v.turn, square = turn * turn;
    write_velocity<W>(world.moved, i, {moved.x + step * v.x, moved.y + step * v.y, moved.turn + turn});
    const V<W> sine = turn * (1.0f - square * (1.0f / 6.0f) * (1.0f - square * 0.05f));
    const V<W> cosine = 1.0f - square * 0.5f * (1.0f - square * (1.0f / 12.0f) * (1.0f - square * (1.0f / 30.0f)));
    const V<W> old_cosine = world.turned[3 * i], old_sine = world.turned[3 * i + 1];
    world.turned[3 * i] = old_cosine * cosine - old_sine * sine;
    world.turned[3 * i + 1] = old_sine * cosine + old_cosine * sine;
  }
}

// Lets joints pass on what contacts threw, in the worlds where they did: see reference._passed_on.
template <int W>
MINICOSM_PART void pass_on(const RigidBatch& b, const RigidWorld<W>& world, M<W> thrown) {
  follow_contacts<W, false>(b, world, thrown);
  solve_joints_where<W>(b, world, thrown);
  follow_contacts<W, true>(b, world, thrown);
  solve_joints_where<W>(b, world, thrown);
}

template <int W>
MINICOSM_FN void substep(const RigidBatch& b, const RigidWorld<W>& world) {
  const RigidSettings& s = b.settings;
  integrate_velocities<W>(b, world);
  clamp_velocities<W>(b, world);
  for (int j = 0; j < b.num_joints; j++) warm_start_joint<W>(b, world, j);
  solve_contacts<W, Pass::kWarmStart>(b, world);
  solve_joints<W, true>(b, world);
  const M<W> thrown = solve_contacts<W, Pass::kBiased>(b, world);
  if (b.num_joints && any_of(thrown)) pass_on<W>(b, world, thrown);
  clamp_velocities<W>(b, world);
  integrate_positions<W>(b, world);
  for (int j = 0; j < b.num_joints; j++) hang_joint<W>(b, world, j);
  for (int sweep = 0; sweep < s.num_joint_sweeps; sweep++) solve_joints<W, false>(b, world);
  solve_contacts<W, Pass::kRelaxed>(b, world);
}

// sweep.py: shortens the paths of fast shapes whose core would enter a static shape, and keeps slow ones out.
constexpr float kCore = 0.5f;     // of the inner radius
constexpr float kShort = 0.01f;   // of the core: so far ahead of the surface it stops, and so far within it has not entered
constexpr float kReach = 1.5f;    // of the core: no plane round a shape cuts a core that far beyond its bounds
constexpr float kTouch = 1e-6f;   // m: so much deeper is no deeper
constexpr float kInside = -1e9f;  // m

template <int W>
MINICOSM_FN V<W> core_of(const RigidBatch& b, const RigidWorld<W>& world, int shape) {
  if (shape >= b.num_polygons) return kCore * world.radius[shape - b.num_polygons];
  const Array<W> corners = world.corners.at((int64_t)shape * b.num_vertices * 4);
  const V<W> x = world.position[2 * shape], y = world.position[2 * shape + 1];
  V<W> inner = splat<W>(kFar);
  for (int k = 0; k < b.num_vertices; k++) {
    const V<W> nx = corners[4 * k + 2], ny = corners[4 * k + 3];
    const V<W> distance = (corners[4 * k] - x) * nx + (corners[4 * k + 1] - y) * ny;
    inner = select(((nx != 0.0f) | (ny != 0.0f)) & (distance < inner), distance, inner);
  }
  return kCore * inner;
}

// Calls look(normal's x, y, how far a core at (x, y) is above, is a plane) for each plane round the polygon `shape`: those of
// its edges, then across each corner, since with a core round them edges alone would meet far ahead of a sharp one.
template <int W, class F>
MINICOSM_FN void for_planes(const RigidBatch& b, const RigidWorld<W>& world, int shape, V<W> x, V<W> y, V<W> core,
                            const F& look) {
  const Array<W> corners = world.corners.at((int64_t)shape * b.num_vertices * 4);
  const V<W> centre_x = world.position[2 * shape], centre_y = world.position[2 * shape + 1];
  for (int k = 0; k < b.num_vertices; k++) {
    const V<W> nx = corners[4 * k + 2], ny = corners[4 * k + 3];
    look(nx, ny, nx * (x - corners[4 * k]) + ny * (y - corners[4 * k + 1]) - core, (nx != 0.0f) | (ny != 0.0f));
  }
  for (int k = 0; k < b.num_vertices; k++) {
    const V<W> out_x = corners[4 * k] - centre_x, out_y = corners[4 * k + 1] - centre_y;
    const V<W> squared = out_x * out_x + out_y * out_y;
    const V<W> length = sqrt(max(squared, splat<W>(kTiny)));
    const V<W> ux = out_x / length, uy = out_y / length;
    V<W> extent = splat<W>(0.0f);
    for (int j = 0; j < b.num_vertices; j++) {
      extent = max(extent, ux * (corners[4 * j] - centre_x) + uy * (corners[4 * j + 1] - centre_y));
    }
    look(ux, uy, ux * (x - centre_x) + uy * (y - centre_y) - extent - core, squared > kTiny);
  }
}

// The fraction of the path (dx, dy) from (x, y) at which a core touches `shape`, or comes deeper into it; 1 where it does not.
template <int W>
MINICOSM_FN V<W> reach_shape(const RigidBatch& b, const RigidWorld<W>& world, int shape, V<W> x, V<W> y, V<W> dx, V<W> dy,
                             V<W> core) {
  const V<W> zero = splat<W>(0.0f), one = splat<W>(1.0f);
  if (shape >= b.num_polygons) {
    const V<W> from_x = x - world.position[2 * shape], from_y = y - world.position[2 * shape + 1];
    const V<W> reach = world.radius[shape - b.num_polygons] + core, within = reach - kShort * core;
    const V<W> along = from_x * dx + from_y * dy;
    const V<W> length_squared = max(dx * dx + dy * dy, splat<W>(kTiny));
    const V<W> squared = from_x * from_x + from_y * from_y, outside = squared - reach * reach;
    const V<W> discriminant = along * along - length_squared * outside;
    const V<W> enter = max((-along - sqrt(max(discriminant, zero))) / length_squared, zero);
    const M<W> is_outside = squared > within * within, deeper = along < 0.0f;
    const V<W> radius = world.radius[shape - b.num_polygons];
    const V<W> inside = select(not_(is_outside) & (squared > radius * radius) & deeper, zero, one);
    return select(is_outside & deeper & (discriminant > 0.0f) & (enter < 1.0f), enter, inside);
  }
  V<W> enter = zero, leave = splat<W>(kFar), nearest = splat<W>(kInside), nearest_rate = zero;
  M<W> is_outside = zero > one;
  const auto cut = [&](V<W> nx, V<W> ny, V<W> above, M<W> is_plane) {
    const V<W> rate = nx * dx + ny * dy;
    const M<W> is_above = is_plane & (above > -kShort * core);
    const V<W> fraction = select(is_above, max(above, zero), -above) / max(abs(rate), splat<W>(kTiny));
    enter = max(enter, select(is_above, select(rate < 0.0f, fraction, splat<W>(kFar)), zero));
    leave = min(leave, select(is_plane & not_(is_above) & (rate > 0.0f), fraction, splat<W>(kFar)));
    is_outside = is_outside | is_above;
    const M<W> is_nearest = is_plane & (above > nearest);
    nearest = select(is_nearest, above, nearest);
    nearest_rate = select(is_nearest, rate, nearest_rate);
  };
  for_planes<W>(b, world, shape, x, y, core, cut);
  const V<W> inside = select((nearest > -core) & (nearest_rate < 0.0f), zero, one);
  return select(is_outside, select((enter < leave + kTiny) & (enter < 1.0f), enter, one), inside);
}

// How far a core at (x, y) is above the plane round `shape` that it is furthest above, now and after (dx, dy), and that
// plane's normal.
template <int W>
struct Above {
  V<W> now, then, nx, ny;  // m, m
  V<W> most_then;          // m, above any of the planes
};

template <int W>
MINICOSM_FN Above<W> above_shape(const RigidBatch& b, const RigidWorld<W>& world, int shape, V<W> x, V<W> y, V<W> dx, V<W> dy,
                                 V<W> core) {
  const V<W> zero = splat<W>(0.0f), inside = splat<W>(kInside);
  Above<W> found{inside, inside, zero, zero, inside};
  const auto look = [&](V<W> nx, V<W> ny, V<W> above, M<W> is_plane) {
    const V<W> now = select(is_plane, above, inside), then = select(is_plane, above + (nx * dx + ny * dy), inside);
    const M<W> is_further = now > found.now;
    found.now = select(is_further, now, found.now);
    found.then = select(is_further, then, found.then);
    found.nx = select(is_further, nx, found.nx);
    found.ny = select(is_further, ny, found.ny);
    found.most_then = max(found.most_then, then);
  };
  if (shape >= b.num_polygons) {
    const V<W> from_x = x - world.position[2 * shape], from_y = y - world.position[2 * shape + 1];
    const V<W> squared = from_x * from_x + from_y * from_y;
    const V<W> distance = sqrt(max(squared, splat<W>(kTiny)));
    look(from_x / distance, from_y / distance, distance - world.radius[shape - b.num_polygons] - core, squared > kTiny);
    return found;
  }
  for_planes<W>(b, world, shape, x, y, core, look);
  return found;
}

// Four numbers of each free shape while paths are mended, m: what it is pushed left, right, down and up at most; in
// memory that the sub-steps are done with.
template <int W>
MINICOSM_FN V<W>& held(const RigidWorld<W>& world, int free, int axis, int side) {
  return (side ? world.push : world.turned)[3 * free + axis];
}

// And two more: 1 where it has been pushed, and where that would bring it deeper into another static shape.
template <int W>
MINICOSM_FN V<W>& is_held(const RigidWorld<W>& world, int free) {
  return world.turned[3 * free + 2];
}
template <int W>
MINICOSM_FN V<W>& is_wedged(const RigidWorld<W>& world, int free) {
  return world.push[3 * free + 2];
}

// Calls look(found, deepest, counts) if the shape `i`, on its path, comes near to `other`, in the worlds where `counts`:
// where that is static and holds a part of its core, which may come as deep as `deepest`.
template <int W, class F>
MINICOSM_FN void look_beside(const RigidBatch& b, const RigidWorld<W>& world, int64_t first, int pair, int i, int other,
                             M<W> counts, const F& look) {
  counts = counts & (world.inverse_mass[other] == 0.0f);
  if (!any_of(counts)) return;
  const int free = i - b.num_walls;
  const V<W> dx = world.moved[3 * free], dy = world.moved[3 * free + 1], core = world.ahead[free];
  const V<W> x = world.position[2 * i], y = world.position[2 * i + 1], end_x = x + dx, end_y = y + dy, reach = kReach * core;
  const Array<W> q = world.bounds.at(4 * (int64_t)other);
  counts = counts & (end_x > q[0] - reach) & (end_x < q[1] + reach) & (end_y > q[2] - reach) & (end_y < q[3] + reach);
  if (!any_of(counts)) return;
  counts = counts & read_bool_column<W>(b.collides + first * b.num_pairs + pair, b.num_pairs);
  if (!any_of(counts)) return;
  const Above<W> found = above_shape<W>(b, world, other, x, y, dx, dy, core);
  look(found, min(found.now, splat<W>(0.0f)), counts & (found.now > -core));
}

// Notes how the slow shape `i` is to be pushed to stay out of `other` where that is static.
template <int W>
MINICOSM_FN void hold_out(const RigidBatch& b, const RigidWorld<W>& world, int64_t first, int pair, int i, int other) {
  const int free = i - b.num_walls;
  const V<W> dx = world.moved[3 * free], dy = world.moved[3 * free + 1], core = world.ahead[free], zero = splat<W>(0.0f);
  const M<W> is_slow = dx * dx + dy * dy <= core * core;
  const auto push_out = [&](const Above<W>& found, V<W> deepest, M<W> counts) {
    counts = counts & (found.most_then < deepest);
    const V<W> push = select(counts, deepest - found.then, zero), push_x = push * found.nx, push_y = push * found.ny;
    held<W>(world, free, 0, 0) = min(held<W>(world, free, 0, 0), push_x);
    held<W>(world, free, 0, 1) = max(held<W>(world, free, 0, 1), push_x);
    held<W>(world, free, 1, 0) = min(held<W>(world, free, 1, 0), push_y);
    held<W>(world, free, 1, 1) = max(held<W>(world, free, 1, 1), push_y);
    is_held<W>(world, free) = select(push > 0.0f, splat<W>(1.0f), is_held<W>(world, free));
  };
  look_beside<W>(b, world, first, pair, i, other, is_slow, push_out);
}

// Notes where what the shape `i` was pushed out of one static shape brings it deeper into `other`.
template <int W>
MINICOSM_FN void find_wedge(const RigidBatch& b, const RigidWorld<W>& world, int64_t first, int pair, int i, int other) {
  const int free = i - b.num_walls;
  const auto note = [&](const Above<W>& found, V<W> deepest, M<W> counts) {
    const M<W> is_deeper = counts & (found.most_then < deepest - kTouch);
    is_wedged<W>(world, free) = select(is_deeper, splat<W>(1.0f), is_wedged<W>(world, free));
  };
  look_beside<W>(b, world, first, pair, i, other, is_held<W>(world, free) > 0.0f, note);
}

// Shortens the path of a fast shape at the first static shape that it would enter.
template <int W>
MINICOSM_PART void stop_short(const RigidBatch& b, const RigidWorld<W>& world, int64_t first, int i, M<W> is_fast) {
  const int free = i - b.num_walls;
  const V<W> dx = world.moved[3 * free], dy = world.moved[3 * free + 1], core = world.ahead[free];
  const V<W> x = world.position[2 * i], y = world.position[2 * i + 1], end_x = x + dx, end_y = y + dy, reach = kReach * core;
  V<W> fraction = splat<W>(1.0f);
  for (int pair = 0; pair < b.num_pairs; pair++) {
    if (b.left[pair] != i && b.right[pair] != i) continue;
    const int other = b.left[pair] == i ? b.right[pair] : b.left[pair];
    M<W> counts = is_fast & (world.inverse_mass[other] == 0.0f);
    if (!any_of(counts)) continue;
    const Array<W> q = world.bounds.at(4 * (int64_t)other);
    counts = counts & (max(x, end_x) > q[0] - reach) & (min(x, end_x) < q[1] + reach) & (max(y, end_y) > q[2] - reach) &
             (min(y, end_y) < q[3] + reach);
    if (!any_of(counts)) continue;
    counts = counts & read_bool_column<W>(b.collides + first * b.num_pairs + pair, b.num_pairs);
    const V<W> reached = reach_shape<W>(b, world, other, x, y, dx, dy, core);
    fraction = select(counts, min(fraction, reached), fraction);
  }
  const V<W> short_of = kShort * core / sqrt(max(dx * dx + dy * dy, splat<W>(kTiny)));
  fraction = select(fraction < 1.0f, max(fraction - short_of, splat<W>(0.0f)), fraction);
  // a shape that stays has moved by 0, never by -0, whatever its neighbours in the vector do
  world.moved[3 * free] = select(is_fast, dx * fraction + splat<W>(0.0f), dx);
  world.moved[3 * free + 1] = select(is_fast, dy * fraction + splat<W>(0.0f), dy);
}

template <int W>
MINICOSM_PART void stop_at_statics(const RigidBatch& b, const RigidWorld<W>& world, int64_t first) {
  const int shapes = b.num_shapes(), walls = b.num_walls;
  const V<W> zero = splat<W>(0.0f);
  for (int i = walls; i < shapes; i++) {
    world.ahead[i - walls] = core_of<W>(b, world, i);
    for (int k = 0; k < 4; k++) held<W>(world, i - walls, k / 2, k % 2) = zero;
    is_held<W>(world, i - walls) = is_wedged<W>(world, i - walls) = zero;
  }
  const auto each_way = [&](const auto& visit) {  // what is not in contact is too far for a slow core
    for (int i = 0; i < world.num_contacts; i++) {
      const int pair = world.pair[i], left = b.left[pair], right = b.right[pair];
      visit(pair, right, left);
      if (left >= walls) visit(pair, left, right);
    }
  };
  each_way([&](int pair, int i, int other) { hold_out<W>(b, world, first, pair, i, other); });
  M<W> anything = zero > zero;
  for (int i = walls; i < shapes; i++) {
    const int free = i - walls;
    const V<W> dx = world.moved[3 * free], dy = world.moved[3 * free + 1], core = world.ahead[free];
    const M<W> is_fast = dx * dx + dy * dy > core * core;
    if (any_of(is_fast)) stop_short<W>(b, world, first, i, is_fast);
    for (int axis = 0; axis < 2; axis++) {
      V<W>& moved = world.moved[3 * free + axis];
      moved = moved + (held<W>(world, free, axis, 0) + held<W>(world, free, axis, 1));
    }
    anything = anything | (is_held<W>(world, free) > 0.0f);
  }
  if (!any_of(anything)) return;
  each_way([&](int pair, int i, int other) { find_wedge<W>(b, world, first, pair, i, other); });
  for (int i = walls; i < shapes; i++) {
    for (int axis = 0; axis < 2; axis++) {
      V<W>& moved = world.moved[3 * (i - walls) + axis];
      moved = select(is_wedged<W>(world, i - walls) > 0.0f, zero, moved);
    }
  }
}

constexpr float kSticks = 0.999f;  // of the Coulomb limit: friction below it holds

template <int W>
MINICOSM_PART void write_contacts(const RigidBatch& b, const RigidWorld<W>& world, int64_t first, int tick) {
  const int64_t row = (int64_t)b.num_pairs * 8;
  float* const out = b.contacts + first * row;
  clear_eights(out, (int64_t)W * b.num_pairs);
  for (int i = 0; i < world.num_contacts; i++) {
    const Array<W> c = world.contacts.at((int64_t)i * kContactFields);
    const int pair = world.pair[i], left = b.left[pair] - b.num_walls, right = b.right[pair] - b.num_walls;
    const V<W> nx = c[kNormalX], ny = c[kNormalY], friction = c[kFriction], zero = splat<W>(0.0f);
    Velocity<W> l{zero, zero, zero};
    if (left >= 0) l = read_velocity<W>(world.moved, left);
    const Velocity<W> r = read_velocity<W>(world.moved, right);
    V<W> remembered[8];
    for (int k = 0; k < 2; k++) {
      const Array<W> p = c.at(kFirstPoint + k * kPointFields);
      const V<W> moved = ny * (r.x - l.x) - nx * (r.y - l.y) + p[kAcrossRight] * r.turn - p[kAcrossLeft] * l.turn;
      const M<W> sticks = abs(p[kImpulseAcross]) < kSticks * friction * p[kImpulse];
      remembered[4 * k] = p[kImpulse];
      remembered[4 * k + 1] = p[kImpulseAcross];
      remembered[4 * k + 2] = select(sticks, p[kSlip] + moved, zero);
      remembered[4 * k + 3] = p[kTotal];
    }
    store_rows<W, 8>(out + (int64_t)pair * 8, row, remembered);
    if (!b.first_touch) continue;
    int32_t* const touched = b.first_touch + first * b.num_pairs + pair;
    const uint32_t presses = bits((remembered[3] > 0.0f) | (remembered[7] > 0.0f));
    for (int w = 0; w < W; w++) {
      int32_t& since = touched[(int64_t)w * b.num_pairs];
      const int32_t now = presses >> w & 1 ? tick : since;
      since = now < since ? now : since;
    }
  }
}

template <int W>
MINICOSM_PART void write_bodies(const RigidBatch& b, const RigidWorld<W>& world, int64_t first) {
  const int64_t shapes = b.num_shapes(), walls = b.num_walls;
  const V<W> zero = splat<W>(0.0f);
  const auto column = [](float* rows, int64_t stride, V<W> values) {
    for (int w = 0; w < W; w++) rows[w * stride] = get(values, w);
  };
  for (int64_t i = 0; i < shapes; i++) {
    const int64_t at = first * shapes + i;
    Velocity<W> v{zero, zero, zero}, moved{zero, zero, zero};
    if (i >= walls) {
      v = read_velocity<W>(world.velocity, i - walls);
      moved = read_velocity<W>(world.moved, i - walls);
    }
    world.position[2 * i] = world.position[2 * i] + moved.x;
    world.position[2 * i + 1] = world.position[2 * i + 1] + moved.y;
    world.rotation[i] = world.rotation[i] + moved.turn;
    column(b.velocity + 2 * at, 2 * shapes, v.x);
    column(b.velocity + 2 * at + 1, 2 * shapes, v.y);
    column(b.angular_velocity + at, shapes, v.turn);
  }
  write_rows<W>(b.position + first * 2 * shapes, 2 * shapes, 2 * shapes, world.position);
  write_rows<W>(b.rotation + first * shapes, shapes, shapes, world.rotation);
  for (int64_t j = 0; j < b.num_joints; j++) {
    const Array<W> impulses = world.joints.at(j * kJointFields + kJointImpulse);
    for (int k = 0; k < 6; k++) column(b.joint_impulses + 6 * (first * b.num_joints + j) + k, 6 * b.num_joints, impulses[k]);
  }
}

// W worlds from `first` on, in `world`, which has been laid out. N is room for a polygon's corners.
template <int W, int N>
MINICOSM_FN void tick_worlds(const RigidBatch& b, RigidWorld<W>& world, int64_t first, int tick) {
  world.num_contacts = 0;
  read_bodies<W>(b, world, first);
  fire_thrusters<W>(b, world, first);
  place_shapes<W>(b, world, first);
  scale_push<W>(b, world);
  prepare_joints<W>(b, world, first);
  find_contacts<W, N>(b, world, first);
  for (int i = 0; i < b.settings.num_substeps; i++) substep<W>(b, world);
  clamp_velocities<W>(b, world);
  write_contacts<W>(b, world, first, tick);
  stop_at_statics<W>(b, world, first);
  write_bodies<W>(b, world, first);
}

// All ticks of these worlds.
template <int W, int N>
MINICOSM_FN void step_worlds(const RigidBatch& b, RigidWorld<W>& world, int64_t first) {
  const int num_ticks = b.settings.num_ticks;
  if (b.first_touch) {
    for (int64_t i = 0; i < (int64_t)W * b.num_pairs; i++) b.first_touch[first * b.num_pairs + i] = num_ticks;
  }
  for (int tick = 0; tick < num_ticks; tick++) tick_worlds<W, N>(b, world, first, tick);
}

#ifndef __CUDACC__
// The worlds first … last - 1, in scratch memory of W times rigid_scratch floats, aligned to a vector. What does not fill
// a vector goes in narrower ones, so that no world is stepped twice.
template <int W, int N>
void tick_range(const RigidBatch& b, float* scratch, int64_t first, int64_t last) {
  for (; first + W <= last; first += W) {
    RigidWorld<W> world = lay_out<W>(b, {(V<W>*)scratch});
    step_worlds<W, N>(b, world, first);
  }
  if constexpr (W > 1) tick_range<(W > 4 ? W / 2 : 1), N>(b, scratch, first, last);
}

inline void rigid_tick(const RigidBatch& b, float* scratch, int64_t first, int64_t last) {
  if (b.num_vertices <= 4) {
    tick_range<kNativeWidth, 4>(b, scratch, first, last);
  } else {
    tick_range<kNativeWidth, 16>(b, scratch, first, last);
  }
}
#endif

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_TICK_H_
