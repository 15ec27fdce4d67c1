// What is found once per tick: minicosm/envs/physics/engine/prepare.py, for W worlds.

#ifndef MINICOSM_KERNELS_RIGID_PREPARE_H_
#define MINICOSM_KERNELS_RIGID_PREPARE_H_

#include "rigid_contact.h"
#include "rigid_joint.h"

namespace minicosm {
inline namespace MINICOSM_ISA {

// fields[k], lane w = rows[w * stride + k] for k < count: by squares in registers, then one by one.
template <int W>
MINICOSM_FN void read_rows(const float* rows, int64_t stride, int count, Array<W> fields) {
  int k = 0;
  for (; k + W <= count; k += W) {
    V<W> square[W];
    load_rows<W, W>(rows + k, stride, square);
    for (int i = 0; i < W; i++) fields[k + i] = square[i];
  }
  for (; k < count; k++) {
    V<W> field{};
    for (int w = 0; w < W; w++) set(field, w, rows[w * stride + k]);
    fields[k] = field;
  }
}

// rows[w * stride + k] = fields[k], lane w, for k < count.
template <int W>
MINICOSM_FN void write_rows(float* rows, int64_t stride, int count, Array<W> fields) {
  int k = 0;
  for (; k + W <= count; k += W) {
    V<W> square[W];
    for (int i = 0; i < W; i++) square[i] = fields[k + i];
    store_rows<W, W>(rows + k, stride, square);
  }
  for (; k < count; k++) {
    const V<W> field = fields[k];
    for (int w = 0; w < W; w++) rows[w * stride + k] = get(field, w);
  }
}

// One number of every world: lane w = rows[w * stride].
template <int W, class T>
MINICOSM_FN V<W> read_column(const T* rows, int64_t stride) {
  V<W> column{};
  for (int w = 0; w < W; w++) set(column, w, (float)rows[w * stride]);
  return column;
}

template <int W>
MINICOSM_FN I<W> read_int_column(const int32_t* rows, int64_t stride) {
  I<W> column{};
  for (int w = 0; w < W; w++) set(column, w, rows[w * stride]);
  return column;
}

template <int W>
MINICOSM_FN M<W> read_bool_column(const bool* rows, int64_t stride) {
  if constexpr (W == 1) {
    return *rows;
  } else {
    I<W> column{};
    for (int w = 0; w < W; w++) column[w] = -(int32_t)rows[w * stride];
    return column;
  }
}

// Bodies of the worlds from `first` on.
template <int W>
MINICOSM_PART void read_bodies(const RigidBatch& b, const RigidWorld<W>& world, int64_t first) {
  const int64_t shapes = b.num_shapes(), walls = b.num_walls, free = shapes - walls;
  read_rows<W>(b.position + first * 2 * shapes, 2 * shapes, 2 * shapes, world.position);
  read_rows<W>(b.rotation + first * shapes, shapes, shapes, world.rotation);
  read_rows<W>(b.inverse_mass + first * shapes, shapes, shapes, world.inverse_mass);
  read_rows<W>(b.inverse_inertia + first * shapes, shapes, shapes, world.inverse_inertia);
  read_rows<W>(b.friction + first * shapes, shapes, shapes, world.friction);
  read_rows<W>(b.restitution + first * shapes, shapes, shapes, world.restitution);
  read_rows<W>(b.radius + first * b.num_circles, b.num_circles, b.num_circles, world.radius);
  const V<W> gravity_x = read_column<W>(b.gravity + first * 2, 2), gravity_y = read_column<W>(b.gravity + first * 2 + 1, 2);
  const V<W> zero = splat<W>(0.0f);
  for (int64_t i = 0; i <= free; i++) {
    const int64_t at = first * shapes + walls + i;
    Velocity<W> velocity{zero, zero, zero}, push{zero, zero, zero};
    if (i < free) {
      // + 0: a push of nothing, by what touches in other worlds of the vector only, makes +0 of -0
      velocity = {read_column<W>(b.velocity + 2 * at, 2 * shapes) + zero,
                  read_column<W>(b.velocity + 2 * at + 1, 2 * shapes) + zero,
                  read_column<W>(b.angular_velocity + at, shapes) + zero};
      const M<W> falls = world.inverse_mass[walls + i] > 0.0f;
      push = {select(falls, gravity_x, zero), select(falls, gravity_y, zero), zero};
    }
    write_velocity<W>(world.velocity, i, velocity);
    write_velocity<W>(world.push, i, push);  // acceleration, for now
    write_velocity<W>(world.moved, i, {zero, zero, zero});
    write_velocity<W>(world.turned, i, {splat<W>(1.0f), zero, zero});
  }
}

// Adds to each shape's acceleration what its thrusters give it.
template <int W>
MINICOSM_PART void fire_thrusters(const RigidBatch& b, const RigidWorld<W>& world, int64_t first) {
  const int T = b.num_thrusters;
  const int last = b.num_shapes() - 1;
  for (int t = 0; t < T; t++) {
    const int64_t at = first * T + t;
    const V<W> thrust = read_column<W>(b.thrust + at, T);
    if (!any_of(thrust != 0.0f)) continue;
    const I<W> given = read_int_column<W>(b.thruster_shape + at, T);
    const I<W> shape = select((given < 0) | (given > last), I<W>{}, given);
    const V<W> angle = collect<W>(world.rotation, shape);
    V<W> sine, cosine, along_sine, along_cosine;
    sine_cosine(angle, sine, cosine);
    sine_cosine(angle + read_column<W>(b.thruster_angle + at, T), along_sine, along_cosine);
    const V<W> px = read_column<W>(b.thruster_point + 2 * at, 2 * T), py = read_column<W>(b.thruster_point + 2 * at + 1, 2 * T);
    const V<W> force_x = thrust * along_cosine, force_y = thrust * along_sine;
    const V<W> torque = (cosine * px - sine * py) * force_y - (sine * px + cosine * py) * force_x;
    const V<W> mass = collect<W>(world.inverse_mass, shape), inertia = collect<W>(world.inverse_inertia, shape);
    const I<W> free = shape - b.num_walls;
    const I<W> seat = select(free < 0, splat_int<W>(b.num_shapes() - b.num_walls), free);
    deal<W>(world.push, 3 * seat, collect<W>(world.push, 3 * seat) + mass * force_x);
    deal<W>(world.push, 3 * seat + 1, collect<W>(world.push, 3 * seat + 1) + mass * force_y);
    deal<W>(world.push, 3 * seat + 2, collect<W>(world.push, 3 * seat + 2) + inertia * torque);
  }
}

#ifndef __CUDACC__
// What place_shapes finds of a polygon, for one world and four corners, which lie side by side in a vector.
MINICOSM_FN void place_four_corners(const float* rows, float x0, float y0, float sine, float cosine, float* corners,
                                    float* bounds, float& reach_squared) {
  const typename detail::MakeIndices<4>::Type lanes;
  const V<4> first = load<4>(rows), last = load<4>(rows + 4);
  const V<4> even = detail::interleave<0>(first, last, lanes), odd = detail::interleave<2>(first, last, lanes);
  const V<4> x = detail::interleave<0>(even, odd, lanes), y = detail::interleave<2>(even, odd, lanes);
  const V<4> px = x0 + cosine * x - sine * y, py = y0 + sine * x + cosine * y;
  const auto next = [](V<4> v) { return V<4>{v[1], v[2], v[3], v[0]}; };
  const V<4> edge_x = next(px) - px, edge_y = next(py) - py, length_squared = edge_x * edge_x + edge_y * edge_y;
  const V<4> scale = select(length_squared > kTiny, 1.0f / sqrt(max(length_squared, splat<4>(kTiny))), splat<4>(0.0f));
  V<4> placed[4] = {px, py, edge_y * scale, -edge_x * scale};
  transpose<4>(placed);
  for (int k = 0; k < 4; k++) store(corners + 4 * k, placed[k]);
  const V<4> least = min(min(placed[0], placed[1]), min(placed[2], placed[3]));
  const V<4> most = max(max(placed[0], placed[1]), max(placed[2], placed[3]));
  bounds[0] = least[0], bounds[1] = most[0], bounds[2] = least[1], bounds[3] = most[1];
  const V<4> reach = x * x + y * y;
  reach_squared = max(max(reach[0], reach[1]), max(reach[2], reach[3]));
}
#endif

// Corners, normals and bounds of every shape where it lies, and how far it can come in this tick.
template <int W>
MINICOSM_PART void place_shapes(const RigidBatch& b, const RigidWorld<W>& world, int64_t first) {
  const RigidSettings& s = b.settings;
  const int count = b.num_vertices;
  const int64_t stride = (int64_t)b.num_polygons * count * 2;
  const auto travel = [&](int shape, V<W> reach) {
    const int free = shape - b.num_walls;
    if (free < 0) return;
    const Velocity<W> v = read_velocity<W>(world.velocity, free), a = read_velocity<W>(world.push, free);
    const V<W> speed = sqrt(v.x * v.x + v.y * v.y) + s.dt * sqrt(a.x * a.x + a.y * a.y);
    world.ahead[free] = s.dt * (speed + abs(v.turn) * reach);
  };
  for (int p = 0; p < b.num_polygons; p++) {
    const Array<W> corners = world.corners.at((int64_t)p * count * 4);
    const float* rows = b.vertices + first * stride + (int64_t)p * count * 2;
    V<W> sine, cosine, reach_squared = splat<W>(0.0f);
    sine_cosine(world.rotation[p], sine, cosine);
    const V<W> x0 = world.position[2 * p], y0 = world.position[2 * p + 1];
#ifndef __CUDACC__
    if constexpr (W == 1) {
      if (count == 4) {
        place_four_corners(rows, x0, y0, sine, cosine, corners.data, &world.bounds[4 * p], reach_squared);
        travel(p, sqrt(reach_squared));
        continue;
      }
    }
#endif
    V<W> least_x = splat<W>(kFar), most_x = splat<W>(-kFar), least_y = least_x, most_y = most_x;
    for (int k = 0; k < count; k++) {
      const V<W> x = read_column<W>(rows + 2 * k, stride), y = read_column<W>(rows + 2 * k + 1, stride);
      reach_squared = max(reach_squared, x * x + y * y);
      const V<W> px = x0 + cosine * x - sine * y, py = y0 + sine * x + cosine * y;
      corners[4 * k] = px;
      corners[4 * k + 1] = py;
      least_x = min(least_x, px);
      most_x = max(most_x, px);
      least_y = min(least_y, py);
      most_y = max(most_y, py);
    }
    for (int k = 0; k < count; k++) {
      const int next = k + 1 < count ? k + 1 : 0;
      const V<W> edge_x = corners[4 * next] - corners[4 * k], edge_y = corners[4 * next + 1] - corners[4 * k + 1];
      const V<W> length_squared = edge_x * edge_x + edge_y * edge_y;
      const V<W> scale = select(length_squared > kTiny, 1.0f / sqrt(max(length_squared, splat<W>(kTiny))), splat<W>(0.0f));
      corners[4 * k + 2] = edge_y * scale;
      corners[4 * k + 3] = -edge_x * scale;
    }
    world.bounds[4 * p] = least_x;
    world.bounds[4 * p + 1] = most_x;
    world.bounds[4 * p + 2] = least_y;
    world.bounds[4 * p + 3] = most_y;
    travel(p, sqrt(reach_squared));
  }
  for (int c = 0; c < b.num_circles; c++) {
    const int shape = b.num_polygons + c;
    const V<W> x = world.position[2 * shape], y = world.position[2 * shape + 1], radius = world.radius[c];
    world.bounds[4 * shape] = x - radius;
    world.bounds[4 * shape + 1] = x + radius;
    world.bounds[4 * shape + 2] = y - radius;
    world.bounds[4 * shape + 3] = y + radius;
    travel(shape, radius);
  }
}

// Turns accelerations into what a sub-step adds to the velocity.
template <int W>
MINICOSM_FN void scale_push(const RigidBatch& b, const RigidWorld<W>& world) {
  const int count = 3 * (b.num_shapes() - b.num_walls + 1);
  for (int i = 0; i < count; i++) world.push[i] = b.settings.step * world.push[i];
}

// The joints as they hang at the start of the tick.
template <int W>
MINICOSM_PART void prepare_joints(const RigidBatch& b, const RigidWorld<W>& world, int64_t first) {
  const int J = b.num_joints, last = b.num_shapes() - 1, free = b.num_shapes() - b.num_walls;
  const float step = b.settings.step;
  const V<W> zero = splat<W>(0.0f), one = splat<W>(1.0f);
  for (int k = 0; k < J; k++) {
    const Array<W> j = world.joints.at(k * kJointFields);
    const int64_t at = first * J + k;
    const auto column = [&](const float* field) { return read_column<W>(field + at, J); };
    const V<W> active = select(read_bool_column<W>(b.active + at, J), one, zero);
    const auto end = [&](const int32_t* shapes) {
      const I<W> shape = read_int_column<W>(shapes + at, J);
      return select((shape < 0) | (shape > last), I<W>{}, shape);
    };
    const I<W> a = end(b.shape_a), c = end(b.shape_b);
    const auto seat = [&](I<W> shape) {
      return select(shape < b.num_walls, splat_int<W>(free), shape - b.num_walls);
    };
    for (int end = 0; end < 2; end++) {
      const I<W> seats = seat(end ? c : a);
      uint32_t taken = 0;
      for (int w = 0; w < W; w++) taken |= 1u << (get(seats, w) & 31);
      world.ends[2 * k + end] = seats;
      world.taken[2 * k + end] = taken;
    }
    j[kMassA] = active * collect<W>(world.inverse_mass, a);
    j[kMassB] = active * collect<W>(world.inverse_mass, c);
    j[kInertiaA] = active * collect<W>(world.inverse_inertia, a);
    j[kInertiaB] = active * collect<W>(world.inverse_inertia, c);
    const V<W> angle_a = collect<W>(world.rotation, a), angle_b = collect<W>(world.rotation, c);
    V<W> sine, cosine;
    const auto anchor = [&](const float* anchors, int axis) { return read_column<W>(anchors + 2 * at + axis, 2 * J); };
    sine_cosine(angle_a, sine, cosine);
    j[kAnchorAX] = cosine * anchor(b.anchor_a, 0) - sine * anchor(b.anchor_a, 1);
    j[kAnchorAY] = sine * anchor(b.anchor_a, 0) + cosine * anchor(b.anchor_a, 1);
    sine_cosine(angle_b, sine, cosine);
    j[kAnchorBX] = cosine * anchor(b.anchor_b, 0) - sine * anchor(b.anchor_b, 1);
    j[kAnchorBY] = sine * anchor(b.anchor_b, 0) + cosine * anchor(b.anchor_b, 1);
    j[kBetweenX] = collect<W>(world.position, 2 * c) - collect<W>(world.position, 2 * a);
    j[kBetweenY] = collect<W>(world.position, 2 * c + 1) - collect<W>(world.position, 2 * a + 1);
    j[kAngle] = angle_b - angle_a - column(b.rest_angle);
    const V<W> turning = j[kInertiaA] + j[kInertiaB];
    j[kTorsion] = select(turning > 0.0f, 1.0f / select(turning > 0.0f, turning, one), zero);
    const V<W> hertz = column(b.spring_hertz), frequency = 6.283185307179586f * hertz;
    const V<W> damping = 2.0f * column(b.spring_damping) + step * frequency;
    const V<W> stiffness = step * frequency * damping;
    const M<W> has_spring = hertz > 0.0f;
    j[kSpringRate] = select(has_spring, frequency / damping, zero);
    j[kSpringMass] = select(has_spring, stiffness / (1.0f + stiffness), zero);
    j[kSpringImpulse] = select(has_spring, 1.0f / (1.0f + stiffness), one);
    j[kHasLimit] = select(read_bool_column<W>(b.has_limit + at, J), active, zero);
    j[kLower] = column(b.lower);
    j[kUpper] = column(b.upper);
    j[kMotorSpeed] = column(b.motor_speed);
    j[kMotorImpulse] = active * step * column(b.motor_torque);
    const V<W> mass = j[kMassA] + j[kMassB];
    j[kMost] = kJointBound * b.settings.max_speed / select(mass > 0.0f, mass, one);
    // + 0: a row that does nothing may be left out, and would have made +0 of -0
    for (int i = 0; i < 6; i++) j[kJointImpulse + i] = active * read_column<W>(b.joint_impulses + 6 * at + i, 6 * J) + zero;
    world.rows[k] = joint_rows<W>(j, has_spring);
    hang_joint<W>(b, world, k);
  }
}

// The contact of one pair in the worlds where `hit`, from how its shapes face each other.
template <int W>
MINICOSM_PART void add_contact(const RigidBatch& b, RigidWorld<W>& world, int64_t first, int pair, const Manifold<W>& found,
                             M<W> near, V<W> margin, float flip) {
  const V<W> zero = splat<W>(0.0f), one = splat<W>(1.0f);
  M<W> hit[2];
  for (int k = 0; k < 2; k++) hit[k] = near & (found.separation[k] < margin);
  if (!any_of(hit[0] | hit[1])) return;
  const int left = b.left[pair], right = b.right[pair], index = world.num_contacts++;
  const Array<W> c = world.contacts.at((int64_t)index * kContactFields);
  world.pair[index] = pair;
  const V<W> nx = flip * found.normal_x, ny = flip * found.normal_y;
  const V<W> mass_left = world.inverse_mass[left], mass_right = world.inverse_mass[right];
  const V<W> inertia_left = world.inverse_inertia[left], inertia_right = world.inverse_inertia[right];
  const int seat_left = left < b.num_walls ? b.num_shapes() - b.num_walls : left - b.num_walls, seat_right = right - b.num_walls;
  const Velocity<W> al = read_velocity<W>(world.push, seat_left), ar = read_velocity<W>(world.push, seat_right);
  c[kNormalX] = nx;
  c[kNormalY] = ny;
  c[kFriction] = sqrt(world.friction[left] * world.friction[right]);
  c[kRestitution] = max(world.restitution[left], world.restitution[right]);
  c[kPull] = 0.5f * (nx * (ar.x - al.x) + ny * (ar.y - al.y));
  c[kIsStatic] = select((mass_left == 0.0f) | (mass_right == 0.0f), one, zero);
  V<W> warm[8];
  load_rows<W, 8>(b.contacts + (first * b.num_pairs + pair) * 8, (int64_t)b.num_pairs * 8, warm);
  for (int k = 0; k < 2; k++) {
    const Array<W> p = c.at(kFirstPoint + k * kPointFields);
    const V<W> lx = found.x[k] - world.position[2 * left], ly = found.y[k] - world.position[2 * left + 1];
    const V<W> rx = found.x[k] - world.position[2 * right], ry = found.y[k] - world.position[2 * right + 1];
    const V<W> arm_left = lx * ny - ly * nx, arm_right = rx * ny - ry * nx;
    const V<W> across_left = -lx * nx - ly * ny, across_right = -rx * nx - ry * ny;
    p[kArmLeft] = arm_left;
    p[kArmRight] = arm_right;
    p[kAcrossLeft] = across_left;
    p[kAcrossRight] = across_right;
    const V<W> inverse = mass_left + mass_right + (inertia_left * arm_left * arm_left + inertia_right * arm_right * arm_right);
    const V<W> inverse_across =
        mass_left + mass_right + (inertia_left * across_left * across_left + inertia_right * across_right * across_right);
    const auto effective = [&](V<W> i) { return select(hit[k] & (i > 0.0f), 1.0f / select(i > 0.0f, i, one), zero); };
    p[kMass] = effective(inverse);
    p[kMassAcross] = effective(inverse_across);
    p[kSeparation] = found.separation[k];
    p[kImpulse] = select(hit[k], warm[4 * k], zero);
    p[kImpulseAcross] = select(hit[k], warm[4 * k + 1], zero);
    p[kSlip] = select(hit[k], warm[4 * k + 2], zero);
    p[kTotal] = zero;
  }
}

// Finds the contacts of all pairs, in the order in which they are solved. N is room for a polygon's corners.
template <int W, int N>
MINICOSM_PART void find_contacts(const RigidBatch& b, RigidWorld<W>& world, int64_t first) {
  const int P = b.num_polygons, count = b.num_vertices;
  for (int pair = 0; pair < b.num_pairs; pair++) {
    const int left = b.left[pair], right = b.right[pair];
    const int low = left < right ? left : right, high = left < right ? right : left;
    V<W> margin = splat<W>(b.settings.margin);
    if (low < b.num_walls) margin = margin + world.ahead[high - b.num_walls];
    const Array<W> p = world.bounds.at(4 * (int64_t)low), q = world.bounds.at(4 * (int64_t)high);
    M<W> near = (q[0] - p[1] < margin) & (p[0] - q[1] < margin) & (q[2] - p[3] < margin) & (p[2] - q[3] < margin);
    if (!any_of(near)) continue;
    near = near & read_bool_column<W>(b.collides + first * b.num_pairs + pair, b.num_pairs);
    if (!any_of(near)) continue;
    Manifold<W> found;
    if (low < P) {
      Corners<W, N> a;
      read_corners<W, N>(world, low, count, a);
      if (high < P) {
        Corners<W, N> other;
        read_corners<W, N>(world, high, count, other);
        if (!polygon_polygon<W, N>(a, other, count, near, margin, found)) continue;
      } else {
        polygon_circle<W, N>(a, count, world.position[2 * high], world.position[2 * high + 1], world.radius[high - P], found);
      }
    } else {
      circle_circle<W>(world.position[2 * low], world.position[2 * low + 1], world.radius[low - P], world.position[2 * high],
                       world.position[2 * high + 1], world.radius[high - P], found);
    }
    add_contact<W>(b, world, first, pair, found, near, margin, left == low ? 1.0f : -1.0f);
  }
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_PREPARE_H_
