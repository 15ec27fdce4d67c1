// What a call to step rigid bodies says, from either platform: XLA's buffers and attributes as a RigidBatch. Host only.

#ifndef MINICOSM_KERNELS_RIGID_CALL_H_
#define MINICOSM_KERNELS_RIGID_CALL_H_

#include "rigid_world.h"
#include "xla/ffi/api/ffi.h"

namespace minicosm {

// The data of a call's buffers, one after the other, by XLA's C interface: its C++ accessors prepare a diagnostic for each,
// and with the shapes to look at, reading 37 buffers would take a tenth of a small world's tick. Shapes and types are
// those that minicosm/kernels/rigid.py lets pass.
class Arguments : xla::ffi::RemainingArgs {
 public:
  explicit Arguments(const xla::ffi::RemainingArgs& all) : xla::ffi::RemainingArgs(all) {}
  const XLA_FFI_Buffer& operator[](size_t i) const { return *static_cast<XLA_FFI_Buffer*>(args()->args[offset() + i]); }
  template <class T>
  void next(const T*& data) {
    data = static_cast<const T*>((*this)[index_++].data);
  }

 private:
  size_t index_ = 0;
};
class Results : xla::ffi::RemainingRets {
 public:
  explicit Results(const xla::ffi::RemainingRets& all) : xla::ffi::RemainingRets(all) {}
  template <class T>
  void next(T*& data) {
    data = static_cast<T*>(static_cast<XLA_FFI_Buffer*>(rets()->rets[offset() + index_++])->data);
  }

 private:
  size_t index_ = 0;
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

constexpr size_t kNumArguments = 31, kGravity = 7, kNumResults = 6;

inline void read_arguments(Arguments in, RigidBatch& b) {
  in.next(b.vertices);
  in.next(b.radius);
  in.next(b.inverse_mass);
  in.next(b.inverse_inertia);
  in.next(b.friction);
  in.next(b.restitution);
  in.next(b.collides);
  in.next(b.gravity);
  in.next(b.shape_a);
  in.next(b.shape_b);
  in.next(b.anchor_a);
  in.next(b.anchor_b);
  in.next(b.rest_angle);
  in.next(b.has_limit);
  in.next(b.lower);
  in.next(b.upper);
  in.next(b.spring_hertz);
  in.next(b.spring_damping);
  in.next(b.active);
  in.next(b.thruster_shape);
  in.next(b.thruster_point);
  in.next(b.thruster_angle);
  in.next(b.position);
  in.next(b.rotation);
  in.next(b.velocity);
  in.next(b.angular_velocity);
  in.next(b.contacts);
  in.next(b.joint_impulses);
  in.next(b.motor_speed);
  in.next(b.motor_torque);
  in.next(b.thrust);
}

inline void read_results(Results out, RigidBatch& b) {
  out.next(b.new_position);
  out.next(b.new_rotation);
  out.next(b.new_velocity);
  out.next(b.new_angular_velocity);
  out.next(b.new_contacts);
  out.next(b.new_joint_impulses);
  if (b.settings.num_ticks > 1) out.next(b.first_touch);
}

}  // namespace detail

// Fills `b` and `worlds`; `left` and `right` point into the attributes.
inline xla::ffi::Error read_rigid_call(xla::ffi::RemainingArgs arguments, xla::ffi::RemainingRets results,
                                       const RigidAttributes& attributes, RigidBatch& b, int64_t& worlds) {
  using xla::ffi::Error;
  const size_t num_results = detail::kNumResults + (attributes.num_ticks > 1);
  if (arguments.size() != detail::kNumArguments || results.size() != num_results || attributes.sizes.size() != 6 ||
      attributes.numbers.size() != 20 || attributes.left.size() != attributes.right.size()) {
    return Error::InvalidArgument("rigid_tick: not what minicosm/kernels/rigid.py passes");
  }
  const Arguments given(arguments);
  const XLA_FFI_Buffer& gravity = given[detail::kGravity];  // [..., 2]
  worlds = 1;
  for (int64_t i = 0; i + 1 < gravity.rank; i++) worlds *= gravity.dims[i];
  detail::read_attributes(attributes, b);
  detail::read_arguments(given, b);
  detail::read_results(Results(results), b);
  return Error::Success();
}

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_CALL_H_
