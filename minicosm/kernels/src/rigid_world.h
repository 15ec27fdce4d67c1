// The data of the rigid-body kernel: a batch of scenes as JAX hands them over, and one group of worlds at work.
//
// The reference is minicosm/envs/physics/engine/reference.py, which defines what is right; names, units and the order
// of every operation are its. What the kernel adds is that W worlds go through the same instructions side by side, and
// that pairs of shapes which do not touch in any of them cost next to nothing.

#ifndef MINICOSM_KERNELS_RIGID_WORLD_H_
#define MINICOSM_KERNELS_RIGID_WORLD_H_

#include "simd.h"

namespace minicosm {

// impulse' = (1 - impulse_scale) impulse - mass_scale mass (velocity + rate error)
struct RigidSoftness {
  float rate, mass_scale, impulse_scale;
};

// How to step: minicosm/envs/physics/engine/config.py, with the springs worked out for the sub-step.
struct RigidSettings {
  float dt, step, rate;  // s, of the tick and of a sub-step, and sub-steps per second
  int num_ticks, num_substeps, num_joint_sweeps;
  RigidSoftness contact, static_contact, friction, joint;
  float push_speed, pull_speed, restitution_threshold, margin, max_speed, max_spin;
};

// One call: B worlds, world-major, row-major. Axes as in scene.py: S shapes, P polygons, V vertices, C circles, K pairs,
// J joints, T thrusters. The state is stepped in its place.
struct RigidBatch {
  const float* vertices;                                               // [B, P, V, 2]
  const float* radius;                                                 // [B, C]
  const float *inverse_mass, *inverse_inertia, *friction, *restitution;  // [B, S]
  const bool* collides;                                                // [B, K]
  const float* gravity;                                                // [B, 2]
  const int32_t *shape_a, *shape_b;                                    // [B, J]
  const float *anchor_a, *anchor_b;                                    // [B, J, 2]
  const float* rest_angle;                                             // [B, J]
  const bool* has_limit;                                               // [B, J]
  const float *lower, *upper, *spring_hertz, *spring_damping;          // [B, J]
  const bool* active;                                                  // [B, J]
  const int32_t* thruster_shape;                                       // [B, T]
  const float *thruster_point, *thruster_angle;                        // [B, T, 2], [B, T]
  float *position, *rotation, *velocity, *angular_velocity;            // [B, S, 2], [B, S], [B, S, 2], [B, S]
  float *contacts, *joint_impulses;                                    // [B, K, 2, 4], [B, J, 6]
  const float *motor_speed, *motor_torque, *thrust;                    // [B, J], [B, J], [B, T]
  int32_t* first_touch;  // [B, K]  the tick in which each pair first pressed on each other, num_ticks for none; or null
  const int32_t *left, *right;  // [K]  whom the solver sits on the left and on the right of each pair, in solving order
  int num_walls, num_polygons, num_circles, num_joints, num_thrusters, num_vertices, num_pairs;
  RigidSettings settings;

  MINICOSM_FN int num_shapes() const { return num_polygons + num_circles; }
};

inline namespace MINICOSM_ISA {

// An array in the scratch memory. On a GPU, where W is 1, the elements of the threads of a warp lie side by side, so that
// a warp reads whole lines.
template <class T>
struct Strided {
#ifdef __CUDACC__
  static constexpr int kStride = 32;  // threads of a warp
#else
  static constexpr int kStride = 1;
#endif
  T* data;
  MINICOSM_FN T& operator[](int64_t i) const { return data[i * kStride]; }
  MINICOSM_FN Strided at(int64_t i) const { return {data + i * kStride}; }
};
template <int W>
using Array = Strided<V<W>>;

// The velocity of a shape: m/s, m/s, rad/s.
template <int W>
struct Velocity {
  V<W> x, y, turn;
};

// Numbers of a contact in the scratch memory; those of a point follow for each of its two points.
enum ContactField {
  kNormalX,  // from the left shape to the right one
  kNormalY,
  kFriction,
  kRestitution,
  kPull,      // m/s: half of what gravity and thrusters add to the normal velocity in a sub-step
  kIsStatic,  // 1 where one of the two cannot move, else 0
  kFirstPoint,
};
enum PointField {
  kArmLeft,         // m: turning arm of a unit impulse along the normal, on the left shape
  kArmRight,        // m
  kAcrossLeft,      // m: likewise along the tangent
  kAcrossRight,     // m
  kMass,            // kg: effective mass along the normal; 0 where there is no contact
  kMassAcross,      // kg
  kSeparation,      // m, at the start of the tick
  kSlip,            // m, since the contact stuck, at the start of the tick
  kImpulse,         // N s, of the last sub-step
  kImpulseAcross,   // N s
  kTotal,           // N s, along the normal, of the tick, bounces included
  kRebound,         // m/s: normal speed with which the point left when it was thrown in this sub-step; else kNotThrown
  kPointFields,
};
constexpr float kNotThrown = -1e9f;
constexpr int kContactFields = kFirstPoint + 2 * kPointFields;

// Numbers of a joint in the scratch memory: a and b are its shapes.
enum JointField {
  kMassA,  // 1/kg, inverse; 0 where the joint is absent
  kMassB,
  kInertiaA,  // 1/(kg m^2), inverse
  kInertiaB,
  kAnchorAX,  // m, from the centroid to the pin, at the start of the tick
  kAnchorAY,
  kAnchorBX,
  kAnchorBY,
  kBetweenX,  // m, from centroid a to centroid b, likewise
  kBetweenY,
  kAngle,    // rad, of b against a beyond the rest angle, likewise
  kTorsion,  // kg m^2, effective inertia
  kSpringRate,
  kSpringMass,
  kSpringImpulse,
  kHasLimit,  // 1 or 0
  kLower,
  kUpper,
  kMotorSpeed,
  kMotorImpulse,  // N m s, most in a sub-step
  kArmAX,         // m, from the centroid to the pin, now
  kArmAY,
  kArmBX,
  kArmBY,
  kGapX,  // m, from the pin on a to the pin on b, now
  kGapY,
  kAngleNow,
  kHoldXX,  // kg, effective mass at the pin, now; 0 where it is none
  kHoldXY,
  kHoldYY,
  kMost,         // N s, greatest impulse of the pin
  kJointImpulse,  // x, y, spring, motor, lower limit, upper limit: as `joint_impulses`
  kJointFields = kJointImpulse + 6,
};

enum JointRow : uint32_t { kHasSpring = 1, kHasMotor = 2, kIsLimited = 4 };

// A group of W worlds at work. Shapes are numbered as in the scene; what only the free ones have, from the first free.
// One more seat, behind the last free shape, stands for every wall: it never moves.
template <int W>
struct RigidWorld {
  Array<W> position;         // [S, 2]  m
  Array<W> rotation;         // [S]  rad
  Array<W> inverse_mass;     // [S]
  Array<W> inverse_inertia;  // [S]
  Array<W> friction;         // [S]
  Array<W> restitution;      // [S]
  Array<W> radius;           // [C]
  Array<W> corners;          // [P, V, 4]  m, m, and the outward normal of the edge that starts there; 0, 0 for none
  Array<W> bounds;           // [S, 4]  m: least x, greatest x, least y, greatest y
  Array<W> velocity;         // [F + 1, 3]  m/s, m/s, rad/s
  Array<W> push;             // [F + 1, 3]  what a sub-step adds to it
  Array<W> moved;            // [F + 1, 3]  m, m, rad, since the tick began
  Array<W> turned;           // [F + 1, 3]  cosine and sine of the turn, and nothing
  Array<W> ahead;            // [F]  m: how far the shape can come in this tick
  Array<W> joints;           // [J, kJointFields]
  Array<W> contacts;         // [K, kContactFields], of which num_contacts are in use
  Strided<I<W>> ends;        // [J, 2]  seats of the two shapes of each joint
  Strided<uint32_t> taken;   // [J, 2]  which of them occur in any of the worlds, a bit each: seat modulo 32
  Strided<uint32_t> rows;    // [J]  what the joint does besides pinning in any of the worlds: bits of JointRow
  Strided<int> pair;         // [K]  which pair each contact in use is
  int num_contacts = 0;
};

// How many W-wide numbers a RigidWorld takes, `ends`, `taken`, `rows` and `pair` included.
MINICOSM_FN int64_t rigid_scratch(const RigidBatch& b) {
  const int64_t shapes = b.num_shapes(), seats = shapes - b.num_walls + 1;
  return shapes * (2 + 1 + 4 + 4) + b.num_circles + (int64_t)b.num_polygons * b.num_vertices * 4 +
         seats * (3 + 3 + 3 + 3 + 1) + (int64_t)b.num_joints * (kJointFields + 5) +
         (int64_t)b.num_pairs * (kContactFields + 1);
}

// Lays a RigidWorld out in scratch memory of rigid_scratch numbers.
template <int W>
MINICOSM_FN RigidWorld<W> lay_out(const RigidBatch& b, Array<W> scratch) {
  RigidWorld<W> world;
  const int64_t shapes = b.num_shapes(), seats = shapes - b.num_walls + 1;
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    const Array<W> taken = scratch.at(used);
    used += count;
    return taken;
  };
  world.position = take(2 * shapes);
  world.rotation = take(shapes);
  world.inverse_mass = take(shapes);
  world.inverse_inertia = take(shapes);
  world.friction = take(shapes);
  world.restitution = take(shapes);
  world.radius = take(b.num_circles);
  world.corners = take((int64_t)b.num_polygons * b.num_vertices * 4);
  world.bounds = take(4 * shapes);
  world.velocity = take(3 * seats);
  world.push = take(3 * seats);
  world.moved = take(3 * seats);
  world.turned = take(3 * seats);
  world.ahead = take(seats);
  world.joints = take((int64_t)b.num_joints * kJointFields);
  world.contacts = take((int64_t)b.num_pairs * kContactFields);
  const Array<W> ends = take(2 * (int64_t)b.num_joints), taken = take(2 * (int64_t)b.num_joints);
  const Array<W> rows = take(b.num_joints), pair = take(b.num_pairs);
  world.ends = {(I<W>*)ends.data};
  world.taken = {(uint32_t*)taken.data};
  world.rows = {(uint32_t*)rows.data};
  world.pair = {(int*)pair.data};
  return world;
}

// Sine and cosine, to about one unit in the last place for |a| below some thousands: the angle is brought into a
// quarter turn with a three-part pi/2 (W. J. Cody and W. Waite, 1980), then Taylor-like polynomials (S. Moshier, Cephes).
template <class T>
MINICOSM_FN void sine_cosine(T a, T& sine, T& cosine) {
  const T quarter = rint(a * 0.636619772f);
  const T r = ((a - quarter * 1.5703125f) - quarter * 4.837512969970703125e-4f) - quarter * 7.54978995489e-8f;
  const T square = r * r;
  const T s = r + r * square * (-1.6666654611e-1f + square * (8.3321608736e-3f - square * 1.9515295891e-4f));
  const T c = 1.0f - 0.5f * square + square * square * (4.166664568298827e-2f + square * (-1.388731625493765e-3f + square * 2.443315711809948e-5f));
  const auto turn = to_int(quarter);
  const auto odd = (turn & 1) != 0;
  sine = select((turn & 2) != 0, -select(odd, c, s), select(odd, c, s));
  cosine = select(((turn + 1) & 2) != 0, -select(odd, s, c), select(odd, s, c));
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_WORLD_H_
