// What a call to step rigid bodies says, from either platform: XLA's buffers and attributes as a RigidBatch. Host only.

#ifndef MINICOSM_KERNELS_RIGID_CALL_H_
#define MINICOSM_KERNELS_RIGID_CALL_H_

#include "rigid_world.h"
#include "xla/ffi/api/ffi.h"

namespace minicosm {

// The buffers of a call, as XLA's C interface lists them. Its C++ accessors prepare a diagnostic for each, which for one
// small world takes a tenth of the whole call.
struct Arguments : xla::ffi::RemainingArgs {
  explicit Arguments(const xla::ffi::RemainingArgs& all) : xla::ffi::RemainingArgs(all) {}
  const XLA_FFI_Buffer* operator[](size_t i) const {
    const bool is_buffer = args()->types[offset() + i] == XLA_FFI_ArgType_BUFFER;
    return is_buffer ? static_cast<const XLA_FFI_Buffer*>(args()->args[offset() + i]) : nullptr;
  }
};
struct Results : xla::ffi::RemainingRets {
  explicit Results(const xla::ffi::RemainingRets& all) : xla::ffi::RemainingRets(all) {}
  const XLA_FFI_Buffer* operator[](size_t i) const {
    const bool is_buffer = rets()->types[offset() + i] == XLA_FFI_RetType_BUFFER;
    return is_buffer ? static_cast<const XLA_FFI_Buffer*>(rets()->rets[offset() + i]) : nullptr;
  }
};

inline int64_t elements(const XLA_FFI_Buffer& buffer) {
  int64_t count = 1;
  for (int64_t i = 0; i < buffer.rank; i++) count *= buffer.dims[i];
  return count;
}

// Reads Arguments or Results one after the other and remembers whether one is not what was expected.
template <class Buffers>
class Reader {
 public:
  Reader(const Buffers& buffers, int64_t worlds) : buffers_(buffers), worlds_(worlds) {}

  float* floats(int64_t per_world) { return static_cast<float*>(next(XLA_FFI_DataType_F32, per_world)); }
  int32_t* ints(int64_t per_world) { return static_cast<int32_t*>(next(XLA_FFI_DataType_S32, per_world)); }
  bool* bools(int64_t per_world) { return static_cast<bool*>(next(XLA_FFI_DataType_PRED, per_world)); }
  bool ok() const { return ok_ && index_ == buffers_.size(); }

 private:
  void* next(XLA_FFI_DataType type, int64_t per_world) {
    const XLA_FFI_Buffer* buffer = index_ < buffers_.size() ? buffers_[index_++] : nullptr;
    ok_ = ok_ && buffer && buffer->dtype == type && elements(*buffer) == worlds_ * per_world;
    return ok_ ? buffer->data : nullptr;
  }

  const Buffers& buffers_;
  int64_t worlds_;
  size_t index_ = 0;
  bool ok_ = true;
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

inline bool read_arguments(const Arguments& arguments, int64_t worlds, RigidBatch& b) {
  const int64_t S = b.num_shapes(), P = b.num_polygons, C = b.num_circles, J = b.num_joints, T = b.num_thrusters;
  const int64_t K = b.num_pairs, V = b.num_vertices;
  Reader<Arguments> in(arguments, worlds);
  b.vertices = in.floats(P * V * 2);
  b.radius = in.floats(C);
  b.inverse_mass = in.floats(S);
  b.inverse_inertia = in.floats(S);
  b.friction = in.floats(S);
  b.restitution = in.floats(S);
  b.collides = in.bools(K);
  b.gravity = in.floats(2);
  b.shape_a = in.ints(J);
  b.shape_b = in.ints(J);
  b.anchor_a = in.floats(J * 2);
  b.anchor_b = in.floats(J * 2);
  b.rest_angle = in.floats(J);
  b.has_limit = in.bools(J);
  b.lower = in.floats(J);
  b.upper = in.floats(J);
  b.spring_hertz = in.floats(J);
  b.spring_damping = in.floats(J);
  b.active = in.bools(J);
  b.thruster_shape = in.ints(T);
  b.thruster_point = in.floats(T * 2);
  b.thruster_angle = in.floats(T);
  b.position = in.floats(S * 2);
  b.rotation = in.floats(S);
  b.velocity = in.floats(S * 2);
  b.angular_velocity = in.floats(S);
  b.contacts = in.floats(K * 8);
  b.joint_impulses = in.floats(J * 6);
  b.motor_speed = in.floats(J);
  b.motor_torque = in.floats(J);
  b.thrust = in.floats(T);
  return in.ok();
}

inline bool read_results(const Results& results, int64_t worlds, RigidBatch& b) {
  const int64_t S = b.num_shapes(), K = b.num_pairs, J = b.num_joints;
  Reader<Results> out(results, worlds);
  b.new_position = out.floats(S * 2);
  b.new_rotation = out.floats(S);
  b.new_velocity = out.floats(S * 2);
  b.new_angular_velocity = out.floats(S);
  b.new_contacts = out.floats(K * 8);
  b.new_joint_impulses = out.floats(J * 6);
  if (b.settings.num_ticks > 1) b.first_touch = out.ints(K);
  return out.ok();
}

}  // namespace detail

// Fills `b` and `worlds`, or says what does not go together. `left` and `right` point into the attributes.
inline xla::ffi::Error read_rigid_call(xla::ffi::RemainingArgs arguments, xla::ffi::RemainingRets results,
                                       const RigidAttributes& attributes, RigidBatch& b, int64_t& worlds) {
  using xla::ffi::Error;
  if (attributes.sizes.size() != 6 || attributes.numbers.size() != 20 ||
      attributes.left.size() != attributes.right.size()) {
    return Error::InvalidArgument("rigid_tick: the attributes do not go together");
  }
  detail::read_attributes(attributes, b);
  const Arguments given(arguments);
  const XLA_FFI_Buffer* gravity = given.size() > 7 ? given[7] : nullptr;  // never empty, and has a known end
  if (!gravity) return Error::InvalidArgument("rigid_tick: arguments are missing");
  worlds = elements(*gravity) / 2;
  if (!detail::read_arguments(given, worlds, b)) {
    return Error::InvalidArgument("rigid_tick: the arguments' shapes do not go together");
  }
  if (!detail::read_results(Results(results), worlds, b)) {
    return Error::InvalidArgument("rigid_tick: the results' shapes do not go together");
  }
  return Error::Success();
}

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_CALL_H_
