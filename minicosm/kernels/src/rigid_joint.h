// Joints: minicosm/envs/physics/engine/joint.py, for W worlds and one joint at a time.
//
// Which shapes a joint holds differs from world to world, so their velocities are collected lane by lane. How the joint
// hangs is worked out only where shapes have moved, and kept for the solves in between.

#ifndef MINICOSM_KERNELS_RIGID_JOINT_H_
#define MINICOSM_KERNELS_RIGID_JOINT_H_

#include "rigid_world.h"

namespace minicosm {
inline namespace MINICOSM_ISA {

// values[index], index per lane.
template <int W>
MINICOSM_FN V<W> collect(Array<W> values, I<W> index) {
  if constexpr (W == 1) {
    return values[index];
  } else {
    const float* flat = (const float*)values.data;
    V<W> result;
    for (int i = 0; i < W; i++) result[i] = flat[index[i] * W + i];
    return result;
  }
}

template <int W>
MINICOSM_FN void deal(Array<W> values, I<W> index, V<W> dealt) {
  if constexpr (W == 1) {
    values[index] = dealt;
  } else {
    float* flat = (float*)values.data;
    for (int i = 0; i < W; i++) flat[index[i] * W + i] = dealt[i];
  }
}

// Calls visit(seat) for every seat that is `taken` in any world; few are, mostly, so this beats going lane by lane.
template <class Visit>
MINICOSM_FN void each_taken(uint32_t taken, int num_seats, const Visit& visit) {
  for (; taken; taken &= taken - 1) {
    for (int seat = __builtin_ctz(taken); seat < num_seats; seat += 32) visit(seat);
  }
}

// One end of a joint: which seat its shape has, in each of the worlds.
template <int W>
struct JointEnd {
  I<W> seat;
  uint32_t taken;
  int num_seats;

  // The three numbers of each seat, from values [F + 1, 3].
  MINICOSM_FN Velocity<W> read(Array<W> values) const {
    if constexpr (W == 1) {
      return {values[3 * seat], values[3 * seat + 1], values[3 * seat + 2]};
    } else {
      Velocity<W> found{};
      each_taken(taken, num_seats, [&](int i) {
        const M<W> here = seat == i;
        found.x = select(here, values[3 * i], found.x);
        found.y = select(here, values[3 * i + 1], found.y);
        found.turn = select(here, values[3 * i + 2], found.turn);
      });
      return found;
    }
  }

  MINICOSM_FN void write(Array<W> values, Velocity<W> v) const {
    if constexpr (W == 1) {
      values[3 * seat] = v.x;
      values[3 * seat + 1] = v.y;
      values[3 * seat + 2] = v.turn;
    } else {
      each_taken(taken, num_seats, [&](int i) {
        const M<W> here = seat == i;
        values[3 * i] = select(here, v.x, values[3 * i]);
        values[3 * i + 1] = select(here, v.y, values[3 * i + 1]);
        values[3 * i + 2] = select(here, v.turn, values[3 * i + 2]);
      });
    }
  }
};

// `end` 0 is a, 1 is b.
template <int W>
MINICOSM_FN JointEnd<W> joint_end(const RigidBatch& b, const RigidWorld<W>& world, int joint, int end) {
  return {world.ends[2 * joint + end], world.taken[2 * joint + end], b.num_shapes() - b.num_walls + 1};
}

template <int W>
struct JointSides {
  JointEnd<W> end_a, end_b;
  Velocity<W> a, b;
};

template <int W>
MINICOSM_FN JointSides<W> read_joint_sides(const RigidBatch& b, const RigidWorld<W>& world, int joint) {
  JointSides<W> sides;
  sides.end_a = joint_end<W>(b, world, joint, 0);
  sides.end_b = joint_end<W>(b, world, joint, 1);
  sides.a = sides.end_a.read(world.velocity);
  sides.b = sides.end_b.read(world.velocity);
  return sides;
}

template <int W>
MINICOSM_FN void write_joint_sides(const RigidWorld<W>& world, const JointSides<W>& sides) {
  sides.end_a.write(world.velocity, sides.a);
  sides.end_b.write(world.velocity, sides.b);
}

// How the joint hangs now: arms, gap and angle.
template <int W>
MINICOSM_PART void hang_joint(const RigidBatch& b, const RigidWorld<W>& world, int joint) {
  const Array<W> j = world.joints.at(joint * kJointFields);
  const JointEnd<W> end_a = joint_end<W>(b, world, joint, 0), end_b = joint_end<W>(b, world, joint, 1);
  const Velocity<W> moved_a = end_a.read(world.moved), moved_b = end_b.read(world.moved);
  const Velocity<W> turned_a = end_a.read(world.turned), turned_b = end_b.read(world.turned);
  const V<W> cos_a = turned_a.x, sin_a = turned_a.y, cos_b = turned_b.x, sin_b = turned_b.y;
  const V<W> ax = cos_a * j[kAnchorAX] - sin_a * j[kAnchorAY], ay = sin_a * j[kAnchorAX] + cos_a * j[kAnchorAY];
  const V<W> bx = cos_b * j[kAnchorBX] - sin_b * j[kAnchorBY], by = sin_b * j[kAnchorBX] + cos_b * j[kAnchorBY];
  j[kArmAX] = ax;
  j[kArmAY] = ay;
  j[kArmBX] = bx;
  j[kArmBY] = by;
  j[kGapX] = j[kBetweenX] + moved_b.x - moved_a.x + bx - ax;
  j[kGapY] = j[kBetweenY] + moved_b.y - moved_a.y + by - ay;
  j[kAngleNow] = j[kAngle] + moved_b.turn - moved_a.turn;
  const V<W> inertia_a = j[kInertiaA], inertia_b = j[kInertiaB], mass = j[kMassA] + j[kMassB];
  const V<W> k_xx = mass + inertia_a * ay * ay + inertia_b * by * by;
  const V<W> k_xy = -inertia_a * ax * ay - inertia_b * bx * by;
  const V<W> k_yy = mass + inertia_a * ax * ax + inertia_b * bx * bx;
  const V<W> determinant = k_xx * k_yy - k_xy * k_xy;
  const M<W> is_held = determinant > 0.0f;
  const V<W> inverse = select(is_held, 1.0f / select(is_held, determinant, splat<W>(1.0f)), splat<W>(0.0f));
  j[kHoldXX] = inverse * k_yy;
  j[kHoldXY] = inverse * k_xy;
  j[kHoldYY] = inverse * k_xx;
}

// Which rows of the joint do anything in this tick, in any of the worlds: bits of JointRow. One that has nothing to do
// must have no impulse of the last tick to take back either.
template <int W>
MINICOSM_FN uint32_t joint_rows(const Array<W> j, M<W> has_spring) {
  const Array<W> impulse = j.at(kJointImpulse);
  const bool spring = any_of(has_spring | (impulse[2] != 0.0f));
  const bool motor = any_of((j[kMotorImpulse] != 0.0f) | (impulse[3] != 0.0f));
  const bool limit = any_of((j[kHasLimit] != 0.0f) | (impulse[4] != 0.0f) | (impulse[5] != 0.0f));
  return (spring ? kHasSpring : 0) | (motor ? kHasMotor : 0) | (limit ? kIsLimited : 0);
}

// a pushes b at the pin with (x, y).
template <int W>
MINICOSM_FN void push_joint(const Array<W> j, V<W> x, V<W> y, JointSides<W>& sides) {
  const V<W> inertia_a = j[kInertiaA], inertia_b = j[kInertiaB];
  sides.a.x = sides.a.x - j[kMassA] * x;
  sides.a.y = sides.a.y - j[kMassA] * y;
  sides.a.turn = sides.a.turn - (inertia_a * j[kArmAX] * y - inertia_a * j[kArmAY] * x);
  sides.b.x = sides.b.x + j[kMassB] * x;
  sides.b.y = sides.b.y + j[kMassB] * y;
  sides.b.turn = sides.b.turn + (inertia_b * j[kArmBX] * y - inertia_b * j[kArmBY] * x);
}

// a turns b.
template <int W>
MINICOSM_FN void turn_joint(const Array<W> j, V<W> turning, JointSides<W>& sides) {
  sides.a.turn = sides.a.turn - j[kInertiaA] * turning;
  sides.b.turn = sides.b.turn + j[kInertiaB] * turning;
}

constexpr float kJointBound = 1e3f;  // times what stops the lighter shape: contradicting joints stay finite

// Whether the joint holds anything that can move, in any of the worlds.
template <int W>
MINICOSM_FN bool is_held(const Array<W> j) {
  return any_of((j[kMassA] + j[kMassB] > 0.0f) | (j[kInertiaA] + j[kInertiaB] > 0.0f));
}

template <int W>
MINICOSM_PART void warm_start_joint(const RigidBatch& b, const RigidWorld<W>& world, int joint) {
  const Array<W> j = world.joints.at(joint * kJointFields), old = j.at(kJointImpulse);
  if (!is_held<W>(j)) return;
  JointSides<W> sides = read_joint_sides<W>(b, world, joint);
  push_joint<W>(j, old[0], old[1], sides);
  turn_joint<W>(j, old[2] + old[3] + old[4] - old[5], sides);
  write_joint_sides<W>(world, sides);
}

constexpr RigidSoftness kVelocityAlone = {0.0f, 1.0f, 0.0f};  // mends no positions

// How a's spin is turned into b's by the joint's spring, motor and limits: the impulse, N m s.
template <int W>
MINICOSM_FN V<W> solve_turning(const RigidSettings& s, const Array<W> j, uint32_t rows, V<W> spin, RigidSoftness bias) {
  const Array<W> impulse = j.at(kJointImpulse);
  const V<W> coupling = j[kInertiaA] + j[kInertiaB], torsion = j[kTorsion], angle = j[kAngleNow], zero = splat<W>(0.0f);
  V<W> turning = zero;
  spin = spin + zero;
  if (rows & kHasSpring) {
    const V<W> spring = (1.0f - j[kSpringImpulse]) * impulse[2] - j[kSpringMass] * torsion * (spin + j[kSpringRate] * angle);
    const V<W> change = spring - impulse[2];
    impulse[2] = spring;
    spin = spin + coupling * change;
    turning = turning + change;
  }
  if (rows & kHasMotor) {
    const V<W> most_torque = j[kMotorImpulse];
    const V<W> motor = min(max(impulse[3] - torsion * (spin - j[kMotorSpeed]), -most_torque), most_torque);
    const V<W> change = motor - impulse[3];
    impulse[3] = motor;
    spin = spin + coupling * change;
    turning = turning + change;
  }
  if (!(rows & kIsLimited)) return turning;
  for (int limit = 0; limit < 2; limit++) {
    const float sign = limit ? -1.0f : 1.0f;
    const V<W> room = limit ? j[kUpper] - angle : angle - j[kLower];
    const M<W> is_open = room > 0.0f;
    const V<W> push = select(is_open, room * s.rate, bias.mass_scale * max(bias.rate * room, splat<W>(-s.pull_speed)));
    const V<W> gain = select(is_open, splat<W>(1.0f), splat<W>(bias.mass_scale));
    const V<W> keep = select(is_open, splat<W>(1.0f), splat<W>(1.0f - bias.impulse_scale));
    const V<W> held = j[kHasLimit] * max(keep * impulse[4 + limit] - torsion * (gain * sign * spin + push), zero);
    const V<W> change = sign * (held - impulse[4 + limit]);
    impulse[4 + limit] = held;
    spin = spin + coupling * change;
    turning = turning + change;
  }
  return turning;
}

// The rows of one joint; `bias` is the softness with which errors of position are driven out, if kBiased.
template <int W, bool kBiased>
MINICOSM_PART void solve_joint(const RigidBatch& b, const RigidWorld<W>& world, int joint, RigidSoftness given) {
  const Array<W> j = world.joints.at(joint * kJointFields), impulse = j.at(kJointImpulse);
  if (!is_held<W>(j)) return;
  const RigidSoftness bias = kBiased ? given : kVelocityAlone;
  JointSides<W> sides = read_joint_sides<W>(b, world, joint);
  const V<W> zero = splat<W>(0.0f);
  const uint32_t rows = world.rows[joint];
  if (rows) {
    turn_joint<W>(j, solve_turning<W>(b.settings, j, rows, sides.b.turn - sides.a.turn, bias), sides);
  } else {
    sides.b.turn = sides.b.turn + zero;  // as above, where nothing turns it
  }

  const V<W> ax = j[kArmAX], ay = j[kArmAY], bx = j[kArmBX], by = j[kArmBY];
  V<W> slide_x = (sides.b.x - sides.a.x) + (sides.a.turn * ay - sides.b.turn * by);
  V<W> slide_y = (sides.b.y - sides.a.y) + (sides.b.turn * bx - sides.a.turn * ax);
  if constexpr (kBiased) {
    const V<W> most_pull = splat<W>(b.settings.pull_speed);
    const auto pull = [&](V<W> gap) { return min(max(bias.rate * gap, -most_pull), most_pull); };
    slide_x = slide_x + pull(j[kGapX]);
    slide_y = slide_y + pull(j[kGapY]);
  }
  V<W> x = j[kHoldXY] * slide_y - j[kHoldXX] * slide_x, y = j[kHoldXY] * slide_x - j[kHoldYY] * slide_y;
  const V<W> most = j[kMost], old_x = impulse[0], old_y = impulse[1];
  if constexpr (kBiased) {
    x = bias.mass_scale * x - bias.impulse_scale * old_x;
    y = bias.mass_scale * y - bias.impulse_scale * old_y;
  }
  x = min(max(x, -most - old_x), most - old_x);
  y = min(max(y, -most - old_y), most - old_y);
  push_joint<W>(j, x, y, sides);
  impulse[0] = old_x + x;
  impulse[1] = old_y + y;
  write_joint_sides<W>(world, sides);
}

// One sweep over all joints, which mends positions if kBiased.
template <int W, bool kBiased>
MINICOSM_FN void solve_joints(const RigidBatch& b, const RigidWorld<W>& world) {
  for (int j = 0; j < b.num_joints; j++) solve_joint<W, kBiased>(b, world, j, b.settings.joint);
}

// Sweeps of the velocities alone, in some of the worlds.
template <int W>
MINICOSM_PART void solve_joints_where(const RigidBatch& b, const RigidWorld<W>& world, M<W> where) {
  for (int sweep = 0; sweep < b.settings.num_joint_sweeps; sweep++) {
    for (int j = 0; j < b.num_joints; j++) {
      const Array<W> impulse = world.joints.at(j * kJointFields + kJointImpulse);
      const JointSides<W> before = read_joint_sides<W>(b, world, j);
      V<W> old[6];
      for (int k = 0; k < 6; k++) old[k] = impulse[k];
      solve_joint<W, false>(b, world, j, kVelocityAlone);
      JointSides<W> after = read_joint_sides<W>(b, world, j);
      for (int k = 0; k < 6; k++) impulse[k] = select(where, impulse[k], old[k]);
      const auto keep = [&](Velocity<W>& now, const Velocity<W>& then) {
        now = {select(where, now.x, then.x), select(where, now.y, then.y), select(where, now.turn, then.turn)};
      };
      keep(after.a, before.a);
      keep(after.b, before.b);
      write_joint_sides<W>(world, after);
    }
  }
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_JOINT_H_
