// Contacts: minicosm/envs/physics/engine/contact.py, for W worlds and one pair of shapes at a time.

#ifndef MINICOSM_KERNELS_RIGID_CONTACT_H_
#define MINICOSM_KERNELS_RIGID_CONTACT_H_

#include "rigid_collide.h"

namespace minicosm {
inline namespace MINICOSM_ISA {

template <int W>
MINICOSM_FN Velocity<W> read_velocity(Array<W> values, int free) {
  return {values[3 * free], values[3 * free + 1], values[3 * free + 2]};
}

template <int W>
MINICOSM_FN void write_velocity(Array<W> values, int free, Velocity<W> v) {
  values[3 * free] = v.x;
  values[3 * free + 1] = v.y;
  values[3 * free + 2] = v.turn;
}

// What a unit impulse along some line gives to the two shapes of a contact: taken from the left one, added to the right.
template <int W>
struct Kick {
  Velocity<W> left, right;
};

// The two shapes of a contact. A wall on the left neither moves nor takes part in the arithmetic.
template <int W, bool kWall>
struct Sides {
  Velocity<W> left, right;
  V<W> mass_left, inertia_left, mass_right, inertia_right;  // inverse

  // Of right against left, at a point with these arms and along (x, y).
  MINICOSM_FN V<W> along(V<W> x, V<W> y, V<W> arm_left, V<W> arm_right) const {
    if constexpr (kWall) return (x * right.x + y * right.y) + arm_right * right.turn;
    return (x * (right.x - left.x) + y * (right.y - left.y)) + (arm_right * right.turn - arm_left * left.turn);
  }

  MINICOSM_FN Kick<W> kick(V<W> x, V<W> y, V<W> arm_left, V<W> arm_right) const {
    Kick<W> kick{};
    if constexpr (!kWall) kick.left = {mass_left * x, mass_left * y, inertia_left * arm_left};
    kick.right = {mass_right * x, mass_right * y, inertia_right * arm_right};
    return kick;
  }

  // Left pushes right.
  MINICOSM_FN void push(V<W> impulse, const Kick<W>& kick) {
    if constexpr (!kWall) {
      left = {left.x - impulse * kick.left.x, left.y - impulse * kick.left.y, left.turn - impulse * kick.left.turn};
    }
    right = {right.x + impulse * kick.right.x, right.y + impulse * kick.right.y, right.turn + impulse * kick.right.turn};
  }
};

template <int W, bool kWall>
MINICOSM_FN Sides<W, kWall> read_sides(const RigidBatch& b, const RigidWorld<W>& world, Array<W> values, int pair) {
  Sides<W, kWall> sides{};
  const int left = b.left[pair], right = b.right[pair];
  if constexpr (!kWall) {
    sides.left = read_velocity<W>(values, left - b.num_walls);
    sides.mass_left = world.inverse_mass[left];
    sides.inertia_left = world.inverse_inertia[left];
  }
  sides.right = read_velocity<W>(values, right - b.num_walls);
  sides.mass_right = world.inverse_mass[right];
  sides.inertia_right = world.inverse_inertia[right];
  return sides;
}

template <int W, bool kWall>
MINICOSM_FN void write_sides(const RigidBatch& b, const RigidWorld<W>& world, int pair, const Sides<W, kWall>& sides) {
  if constexpr (!kWall) write_velocity<W>(world.velocity, b.left[pair] - b.num_walls, sides.left);
  write_velocity<W>(world.velocity, b.right[pair] - b.num_walls, sides.right);
}

enum class Pass { kWarmStart, kBiased, kRelaxed };

constexpr float kLoad = 0.25f;  // of the blow: what a contact may carry and still pass it on

// Whether a point comes fast at its partner, and neither rests on it nor has met it: see contact.may_bounce.
template <int W>
MINICOSM_FN M<W> may_bounce(const RigidSettings& s, V<W> restitution, Array<W> point, V<W> speed) {
  const M<W> is_new = point[kImpulse] + point[kTotal] <= kLoad * point[kMass] * -speed;
  return (restitution > 0.0f) & is_new & (speed < -s.restitution_threshold);
}

// Throws back what may bounce and is about to touch: see contact.bounces. Returns where something was thrown.
template <int W, bool kWall>
MINICOSM_FN M<W> throw_back(const RigidSettings& s, Array<W> c, const Sides<W, kWall>& moved, Sides<W, kWall>& sides) {
  const V<W> nx = c[kNormalX], ny = c[kNormalY], pull = c[kPull], restitution = c[kRestitution];
  const V<W> zero = splat<W>(0.0f), one = splat<W>(1.0f);
  M<W> meets[2];
  V<W> speed[2], separation[2], wanted[2];
  for (int k = 0; k < 2; k++) {
    const Array<W> p = c.at(kFirstPoint + k * kPointFields);
    speed[k] = sides.along(nx, ny, p[kArmLeft], p[kArmRight]);
    separation[k] = p[kSeparation] + moved.along(nx, ny, p[kArmLeft], p[kArmRight]);
    meets[k] = may_bounce<W>(s, restitution, p, speed[k]) & (p[kMass] > 0.0f) & (speed[k] + separation[k] * s.rate < 0.0f);
    p[kRebound] = splat<W>(kNotThrown);
  }
  if (!any_of(meets[0] | meets[1])) return zero > one;
  for (int k = 0; k < 2; k++) {
    const V<W> fall = 4.0f * pull * separation[k] * s.rate;
    const V<W> squared = restitution * restitution * ((speed[k] - pull) * (speed[k] - pull) - fall) + fall;
    const V<W> back = select(squared > 0.0f, sqrt(max(squared, zero)), zero);
    wanted[k] = select(meets[k], back + pull - speed[k], zero);
  }
  const Array<W> p = c.at(kFirstPoint), q = c.at(kFirstPoint + kPointFields);
  const auto inverse = [&](V<W> x) { return 1.0f / select(x > 0.0f, x, one); };
  const V<W> stiff_p = inverse(p[kMass]), stiff_q = inverse(q[kMass]);
  V<W> coupling = sides.mass_right + sides.inertia_right * p[kArmRight] * q[kArmRight];
  if constexpr (!kWall) coupling = coupling + sides.mass_left + sides.inertia_left * p[kArmLeft] * q[kArmLeft];
  const V<W> determinant = stiff_p * stiff_q - coupling * coupling, scale = inverse(determinant);
  const V<W> first = scale * (stiff_q * wanted[0] - coupling * wanted[1]);
  const V<W> second = scale * (stiff_p * wanted[1] - coupling * wanted[0]);
  const M<W> as_one = meets[0] & meets[1] & (determinant > 0.0f) & (first > 0.0f) & (second > 0.0f);
  const M<W> is_first = wanted[0] >= wanted[1];
  const V<W> thrown[2] = {select(as_one, first, select(is_first, p[kMass] * wanted[0], zero)),
                          select(as_one, second, select(is_first, zero, q[kMass] * wanted[1]))};
  for (int k = 0; k < 2; k++) {
    const Array<W> point = c.at(kFirstPoint + k * kPointFields);
    point[kTotal] = point[kTotal] + thrown[k];
    point[kRebound] = select(thrown[k] > 0.0f, zero, point[kRebound]);
    sides.push(thrown[k], sides.kick(nx, ny, point[kArmLeft], point[kArmRight]));
  }
  return thrown[0] + thrown[1] > 0.0f;
}

// One pass over one contact of one or two points: see contact.py for what each does. Returns where something was thrown.
template <int W, bool kWall, int kPoints, Pass kPass>
MINICOSM_FN M<W> solve_contact(const RigidBatch& b, const RigidWorld<W>& world, int index) {
  const RigidSettings& s = b.settings;
  const Array<W> c = world.contacts.at(index * kContactFields);
  const int pair = world.pair[index];
  Sides<W, kWall> sides = read_sides<W, kWall>(b, world, world.velocity, pair);
  const V<W> nx = c[kNormalX], ny = c[kNormalY];
  const V<W> zero = splat<W>(0.0f), one = splat<W>(1.0f);
  M<W> thrown = zero > one;

  if constexpr (kPass == Pass::kWarmStart) {
    for (int k = 0; k < kPoints; k++) {
      const Array<W> p = c.at(kFirstPoint + k * kPointFields);
      sides.push(p[kImpulse], sides.kick(nx, ny, p[kArmLeft], p[kArmRight]));
      sides.push(p[kImpulseAcross], sides.kick(ny, -nx, p[kAcrossLeft], p[kAcrossRight]));
    }
  }

  if constexpr (kPass == Pass::kBiased || kPass == Pass::kRelaxed) {
    const Sides<W, kWall> moved = read_sides<W, kWall>(b, world, world.moved, pair);
    V<W> rate, mass_scale, impulse_scale;
    if constexpr (kPass == Pass::kBiased) {
      const M<W> is_static = c[kIsStatic] > 0.0f;
      const auto pick = [&](float fixed, float free) { return select(is_static, splat<W>(fixed), splat<W>(free)); };
      rate = pick(s.static_contact.rate, s.contact.rate);
      mass_scale = pick(s.static_contact.mass_scale, s.contact.mass_scale);
      impulse_scale = pick(s.static_contact.impulse_scale, s.contact.impulse_scale);
      if (any_of(c[kRestitution] > 0.0f)) thrown = throw_back<W, kWall>(s, c, moved, sides);
    }
    V<W> gain[kPoints];
    if constexpr (kPass == Pass::kRelaxed) {
      const bool bounces = any_of(c[kRestitution] > 0.0f);
      for (int k = 0; k < kPoints; k++) {
        const Array<W> p = c.at(kFirstPoint + k * kPointFields);
        gain[k] = p[kMass];
        if (!bounces) continue;
        // What is fast will bounce in the next sub-step, and is left alone until then.
        const V<W> speed = sides.along(nx, ny, p[kArmLeft], p[kArmRight]);  // before either point is solved
        gain[k] = select(may_bounce<W>(s, c[kRestitution], p, speed), zero, gain[k]);
      }
    }
    // What depends on the velocity comes last: the rows of a shape wait for each other, and for nothing else.
    for (int k = 0; k < kPoints; k++) {
      const Array<W> p = c.at(kFirstPoint + k * kPointFields);
      const V<W> arm_left = p[kArmLeft], arm_right = p[kArmRight], mass = p[kMass], old = p[kImpulse];
      const V<W> separation = p[kSeparation] + moved.along(nx, ny, arm_left, arm_right);
      V<W> wanted;  // of change
      if constexpr (kPass == Pass::kBiased) {
        const M<W> is_apart = separation > 0.0f;
        const V<W> push = select(is_apart, separation * s.rate,
                                 mass_scale * max(rate * separation, splat<W>(-s.push_speed)));
        gain[k] = mass * select(is_apart, one, mass_scale);
        wanted = -select(is_apart, zero, impulse_scale) * old - mass * push;
      } else {
        wanted = -gain[k] * (max(separation, zero) * s.rate);
      }
      const V<W> velocity = sides.along(nx, ny, arm_left, arm_right);
      const V<W> change = max(wanted - gain[k] * velocity, -old);
      sides.push(change, sides.kick(nx, ny, arm_left, arm_right));
      p[kImpulse] = old + change;
      if constexpr (kPass == Pass::kRelaxed) p[kTotal] = p[kTotal] + (old + change);
    }
    const V<W> friction = c[kFriction];
    for (int k = 0; k < kPoints; k++) {
      const Array<W> p = c.at(kFirstPoint + k * kPointFields);
      const V<W> arm_left = p[kAcrossLeft], arm_right = p[kAcrossRight], old = p[kImpulseAcross];
      V<W> hold = p[kMassAcross], wanted = zero;
      if constexpr (kPass == Pass::kBiased) {
        const V<W> slip = p[kSlip] + moved.along(ny, -nx, arm_left, arm_right);
        wanted = -s.friction.impulse_scale * old - hold * (s.friction.mass_scale * s.friction.rate * slip);
        hold = hold * s.friction.mass_scale;
      }
      const V<W> limit = friction * p[kImpulse], velocity = sides.along(ny, -nx, arm_left, arm_right);
      const V<W> change = min(max(wanted - hold * velocity, -limit - old), limit - old);
      sides.push(change, sides.kick(ny, -nx, arm_left, arm_right));
      p[kImpulseAcross] = old + change;
    }
  }

  write_sides<W, kWall>(b, world, pair, sides);
  return thrown;
}

// Returns in which worlds something was thrown.
template <int W, Pass kPass>
MINICOSM_PART M<W> solve_contacts(const RigidBatch& b, const RigidWorld<W>& world) {
  M<W> thrown = splat<W>(0.0f) > 1.0f;
  for (int i = 0; i < world.num_contacts; i++) {
    const int left = b.left[world.pair[i]], right = b.right[world.pair[i]];
    const bool is_round = left >= b.num_polygons || right >= b.num_polygons;  // a circle touches at one point
    if (left < b.num_walls) {
      thrown = thrown | (is_round ? solve_contact<W, true, 1, kPass>(b, world, i) : solve_contact<W, true, 2, kPass>(b, world, i));
    } else {
      thrown = thrown | (is_round ? solve_contact<W, false, 1, kPass>(b, world, i) : solve_contact<W, false, 2, kPass>(b, world, i));
    }
  }
  return thrown;
}

// Of the points that were thrown in this sub-step: notes their normal speed (kThrow false), or throws them again to the
// one that was noted (contact.restore); in the worlds `where` something was.
template <int W, bool kWall, bool kThrow>
MINICOSM_FN void follow_contact(const RigidBatch& b, const RigidWorld<W>& world, const Array<W> c, int pair, M<W> where) {
  Sides<W, kWall> sides = read_sides<W, kWall>(b, world, world.velocity, pair);
  const V<W> nx = c[kNormalX], ny = c[kNormalY];
  for (int k = 0; k < 2; k++) {
    const Array<W> p = c.at(kFirstPoint + k * kPointFields);
    const V<W> speed = sides.along(nx, ny, p[kArmLeft], p[kArmRight]), noted = p[kRebound];
    if constexpr (kThrow) {
      const V<W> thrown = p[kMass] * max(noted - speed, splat<W>(0.0f));
      Sides<W, kWall> pushed = sides;
      pushed.push(thrown, sides.kick(nx, ny, p[kArmLeft], p[kArmRight]));
      const M<W> is_thrown = noted > kNotThrown;  // elsewhere not even the sign of a zero may change
      p[kTotal] = select(is_thrown, p[kTotal] + thrown, p[kTotal]);
      const auto take = [&](Velocity<W>& now, const Velocity<W>& then) {
        now = {select(is_thrown, then.x, now.x), select(is_thrown, then.y, now.y), select(is_thrown, then.turn, now.turn)};
      };
      take(sides.left, pushed.left);
      take(sides.right, pushed.right);
    } else {
      p[kRebound] = select(where & (noted > kNotThrown), speed, splat<W>(kNotThrown));
    }
  }
  if constexpr (kThrow) write_sides<W, kWall>(b, world, pair, sides);
}

template <int W, bool kThrow>
MINICOSM_PART void follow_contacts(const RigidBatch& b, const RigidWorld<W>& world, M<W> where) {
  for (int i = 0; i < world.num_contacts; i++) {
    const Array<W> c = world.contacts.at((int64_t)i * kContactFields);
    if (!any_of(c[kRestitution] > 0.0f)) continue;
    const int pair = world.pair[i];
    b.left[pair] < b.num_walls ? follow_contact<W, true, kThrow>(b, world, c, pair, where)
                               : follow_contact<W, false, kThrow>(b, world, c, pair, where);
  }
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_CONTACT_H_
