// What a call to step rigid bodies says, from either platform: XLA's buffers and attributes as a RigidBatch. Host only.

#ifndef MINICOSM_KERNELS_RIGID_CALL_H_
#define MINICOSM_KERNELS_RIGID_CALL_H_

#include <type_traits>

#include "rigid_world.h"
#include "xla/ffi/api/ffi.h"

namespace minicosm {

// The buffers of a call by XLA's C interface: its C++ accessors prepare a diagnostic for each, and with the shapes to look
// at, reading 37 buffers would take a tenth of a small world's tick. Shapes and types are those that
// minicosm/kernels/rigid.py lets pass.
struct Arguments : xla::ffi::RemainingArgs {
  explicit Arguments(const xla::ffi::RemainingArgs& all) : xla::ffi::RemainingArgs(all) {}
  const XLA_FFI_Buffer& operator[](size_t i) const { return *static_cast<XLA_FFI_Buffer*>(args()->args[offset() + i]); }
};
struct Results : xla::ffi::RemainingRets {
  explicit Results(const xla::ffi::RemainingRets& all) : xla::ffi::RemainingRets(all) {}
  const XLA_FFI_Buffer& operator[](size_t i) const { return *static_cast<XLA_FFI_Buffer*>(rets()->rets[offset() + i]); }
};

// The attributes of the call: see minicosm/kernels/rigid.py.
struct RigidAttributes {
  xla::ffi::Span<const int64_t> sizes;
  xla::ffi::Span<const int32_t> left, right;
  xla::ffi::Span<const float> numbers;
  int64_t num_ticks, num_substeps, num_joint_sweeps;
};

namespace detail {

inline RigidSoftness softness(const float* numbers) { return {numbers[0], numbers[1], numbers[2]}; }

inline void read_attributes(const RigidAttributes& attributes, RigidBatch& b) {
  const int64_t* size = attributes.sizes.begin();
  b.num_walls = (int)size[0], b.num_polygons = (int)size[1], b.num_circles = (int)size[2];
  b.num_joints = (int)size[3], b.num_thrusters = (int)size[4], b.num_vertices = (int)size[5];
  b.num_pairs = (int)attributes.left.size();
  b.left = attributes.left.begin(), b.right = attributes.right.begin();
  const float* n = attributes.numbers.begin();
  b.settings = {n[0],
                n[1],
                1.0f / n[1],
                (int)attributes.num_ticks,
                (int)attributes.num_substeps,
                (int)attributes.num_joint_sweeps,
                softness(n + 2),
                softness(n + 5),
                softness(n + 8),
                softness(n + 11),
                n[14],
                n[15],
                n[16],
                n[17],
                n[18],
                n[19]};
}

constexpr size_t kNumArguments = 31, kGravity = 7, kState = 22, kNumState = 6;  // state: position … joint_impulses

inline void read_arguments(const Arguments& arguments, RigidBatch& b) {
  size_t i = 0;
  const auto next = [&](auto*& data) { data = static_cast<std::remove_reference_t<decltype(data)>>(arguments[i++].data); };
  next(b.vertices);
  next(b.radius);
  next(b.inverse_mass);
  next(b.inverse_inertia);
  next(b.friction);
  next(b.restitution);
  next(b.collides);
  next(b.gravity);
  next(b.shape_a);
  next(b.shape_b);
  next(b.anchor_a);
  next(b.anchor_b);
  next(b.rest_angle);
  next(b.has_limit);
  next(b.lower);
  next(b.upper);
  next(b.spring_hertz);
  next(b.spring_damping);
  next(b.active);
  next(b.thruster_shape);
  next(b.thruster_point);
  next(b.thruster_angle);
  next(b.position);
  next(b.rotation);
  next(b.velocity);
  next(b.angular_velocity);
  next(b.contacts);
  next(b.joint_impulses);
  next(b.motor_speed);
  next(b.motor_torque);
  next(b.thrust);
}

// Whether the new state lies where the old one was read, as XLA was told.
inline bool is_in_place(const Arguments& arguments, const Results& results) {
  for (size_t i = 0; i < kNumState; i++) {
    const XLA_FFI_Buffer &before = arguments[kState + i], &after = results[i];
    int64_t count = 1;
    for (int64_t axis = 0; axis < after.rank; axis++) count *= after.dims[axis];
    if (before.data != after.data && count) return false;
  }
  return true;
}

}  // namespace detail

// Fills `b` and `worlds`; `left` and `right` point into the attributes.
inline xla::ffi::Error read_rigid_call(xla::ffi::RemainingArgs arguments, xla::ffi::RemainingRets results,
                                       const RigidAttributes& attributes, RigidBatch& b, int64_t& worlds) {
  using xla::ffi::Error;
  const size_t num_results = detail::kNumState + (attributes.num_ticks > 1);
  if (arguments.size() != detail::kNumArguments || results.size() != num_results || attributes.sizes.size() != 6 ||
      attributes.numbers.size() != 20 || attributes.left.size() != attributes.right.size()) {
    return Error::InvalidArgument("rigid_tick: not what minicosm/kernels/rigid.py passes");
  }
  const Arguments given(arguments);
  const Results left(results);
  if (!detail::is_in_place(given, left)) return Error::Internal("rigid_tick: XLA does not step the state in its place");
  const XLA_FFI_Buffer& gravity = given[detail::kGravity];  // [..., 2]
  worlds = 1;
  for (int64_t i = 0; i + 1 < gravity.rank; i++) worlds *= gravity.dims[i];
  detail::read_attributes(attributes, b);
  detail::read_arguments(given, b);
  if (attributes.num_ticks > 1) b.first_touch = static_cast<int32_t*>(left[detail::kNumState].data);
  return Error::Success();
}

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_CALL_H_
