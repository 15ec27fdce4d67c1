// What XLA calls to step rigid bodies: checks the shapes, and spreads the worlds over the cores.

#include <array>
#include <cstdlib>
#include <memory>

#include "kernels.h"
#include "parallel.h"
#include "rigid_world.h"
#include "xla/ffi/api/ffi.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

namespace ffi = xla::ffi;

constexpr int64_t kWorldsPerBlock = 64;
constexpr int64_t kAlignment = 64;

// Memory of one thread for as long as it lives: no call allocates once it has grown.
float* scratch_of_thread(int64_t floats) {
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local int64_t size = 0;
  if (size < floats) {
    const int64_t bytes = (4 * floats + kAlignment - 1) / kAlignment * kAlignment;
    memory.reset(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
    size = memory ? floats : 0;
  }
  return memory.get();
}

// Reads buffers one after the other and remembers whether one is not what was expected.
class Reader {
 public:
  Reader(ffi::RemainingArgs arguments, int64_t worlds) : arguments_(arguments), worlds_(worlds) {}

  const float* floats(int64_t per_world) { return static_cast<const float*>(next(ffi::DataType::F32, per_world)); }
  const int32_t* ints(int64_t per_world) { return static_cast<const int32_t*>(next(ffi::DataType::S32, per_world)); }
  const bool* bools(int64_t per_world) { return static_cast<const bool*>(next(ffi::DataType::PRED, per_world)); }
  bool ok() const { return ok_ && index_ == arguments_.size(); }

 private:
  const void* next(ffi::DataType type, int64_t per_world) {
    const auto buffer = arguments_.get<ffi::AnyBuffer>(index_++);
    if (!buffer || buffer->element_type() != type || (int64_t)buffer->element_count() != worlds_ * per_world) {
      ok_ = false;
      return nullptr;
    }
    return buffer->untyped_data();
  }

  ffi::RemainingArgs arguments_;
  int64_t worlds_;
  size_t index_ = 0;
  bool ok_ = true;
};

RigidSoftness softness(ffi::Span<const float> numbers, int at) {
  return {numbers.begin()[at], numbers.begin()[at + 1], numbers.begin()[at + 2]};
}

ffi::Error rigid_tick(ffi::ThreadPool pool, ffi::RemainingArgs arguments, ffi::RemainingRets results,
                      ffi::Span<const int64_t> sizes, ffi::Span<const int32_t> left, ffi::Span<const int32_t> right,
                      ffi::Span<const float> numbers, int64_t num_substeps, int64_t num_joint_sweeps) {
  if (sizes.size() != 6 || numbers.size() != 19 || results.size() != 6 || left.size() != right.size()) {
    return ffi::Error::InvalidArgument("rigid_tick: the attributes do not go together");
  }
  RigidBatch b{};
  const int64_t* size = sizes.begin();
  b.num_walls = (int)size[0], b.num_polygons = (int)size[1], b.num_circles = (int)size[2];
  b.num_joints = (int)size[3], b.num_thrusters = (int)size[4], b.num_vertices = (int)size[5];
  b.num_pairs = (int)left.size();
  b.left = left.begin(), b.right = right.begin();
  const float* n = numbers.begin();
  b.settings = {n[0], n[1], 1.0f / n[1], (int)num_substeps, (int)num_joint_sweeps, softness(numbers, 2), softness(numbers, 5),
                softness(numbers, 8), softness(numbers, 11), n[14], n[15], n[16], n[17], n[18]};
  const int64_t S = b.num_shapes(), P = b.num_polygons, C = b.num_circles, J = b.num_joints, T = b.num_thrusters;
  const int64_t K = b.num_pairs, V = b.num_vertices;

  const auto gravity = arguments.get<ffi::AnyBuffer>(7);  // the one array that is never empty and has a known end
  if (!gravity) return ffi::Error::InvalidArgument("rigid_tick: arguments are missing");
  const int64_t worlds = (int64_t)gravity->element_count() / 2;
  Reader in(arguments, worlds);
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
  if (!in.ok()) return ffi::Error::InvalidArgument("rigid_tick: the arguments' shapes do not go together");
  float** const out[] = {&b.new_position, &b.new_rotation, &b.new_velocity,
                         &b.new_angular_velocity, &b.new_contacts, &b.new_joint_impulses};
  const int64_t wanted[] = {S * 2, S, S * 2, S, K * 8, J * 6};
  for (size_t i = 0; i < 6; i++) {
    auto buffer = results.get<ffi::AnyBuffer>(i);
    if (!buffer || (*buffer)->element_type() != ffi::DataType::F32 ||
        (int64_t)(*buffer)->element_count() != worlds * wanted[i]) {
      return ffi::Error::InvalidArgument("rigid_tick: the results' shapes do not go together");
    }
    *out[i] = static_cast<float*>((*buffer)->untyped_data());
  }
  const Kernels& set = kernels();
  const int64_t floats = set.width * rigid_scratch(b);
  std::atomic<bool> enough{true};
  parallel_for(pool, worlds, kWorldsPerBlock, [&](int64_t first, int64_t last) {
    float* const scratch = scratch_of_thread(floats);
    if (scratch) set.rigid_tick(b, scratch, first, last);
    else enough = false;
  });
  return enough ? ffi::Error::Success() : ffi::Error(ffi::ErrorCode::kResourceExhausted, "rigid_tick: out of memory");
}

}  // namespace
}  // namespace minicosm

MINICOSM_EXPORT XLA_FFI_Error* minicosm_rigid_tick(XLA_FFI_CallFrame* frame);

XLA_FFI_DEFINE_HANDLER_SYMBOL(minicosm_rigid_tick, minicosm::rigid_tick,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<xla::ffi::Span<const int64_t>>("sizes")
                                  .Attr<xla::ffi::Span<const int32_t>>("left")
                                  .Attr<xla::ffi::Span<const int32_t>>("right")
                                  .Attr<xla::ffi::Span<const float>>("numbers")
                                  .Attr<int64_t>("num_substeps")
                                  .Attr<int64_t>("num_joint_sweeps"));
