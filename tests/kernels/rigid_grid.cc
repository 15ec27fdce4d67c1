// The GPU's way of stepping rigid bodies, as a handler that XLA may call on the CPU: with the driver of fake_cuda.cc, and
// scratch memory that holds rubbish.

#include <limits>
#include <string>
#include <vector>

#include "rigid_call.h"
#include "rigid_launch.h"

namespace {

namespace ffi = xla::ffi;

void* the_stream = nullptr;
int64_t scratch_bytes = 0;
std::string text;  // what a function here returned last

ffi::Error rigid_grid(ffi::RemainingArgs arguments, ffi::RemainingRets results, ffi::Span<const int64_t> sizes,
                      ffi::Span<const int32_t> left, ffi::Span<const int32_t> right, ffi::Span<const float> numbers,
                      int64_t num_ticks, int64_t num_substeps, int64_t num_joint_sweeps) {
  minicosm::RigidBatch b{};
  int64_t worlds = 0;
  const minicosm::RigidAttributes attributes{sizes, left, right, numbers, num_ticks, num_substeps, num_joint_sweeps};
  ffi::Error error = minicosm::read_rigid_call(arguments, results, attributes, b, worlds);
  if (error.failure()) return error;
  std::vector<float> scratch;
  const std::string failure = minicosm::launch_rigid(b, worlds, the_stream, [&](int64_t bytes) {
    scratch_bytes = bytes;
    scratch.assign(bytes / 4, std::numeric_limits<float>::quiet_NaN());
    return scratch.data();
  }, 0);
  return failure.empty() ? ffi::Error::Success() : ffi::Error(ffi::ErrorCode::kInternal, failure);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void use_stream(void* stream) { the_stream = stream; }
extern "C" __attribute__((visibility("default"))) int64_t last_scratch_bytes() { return scratch_bytes; }

// The kernel's source; sizes as in the call, then the number of pairs.
extern "C" __attribute__((visibility("default"))) const char* rigid_source(const int64_t* sizes, const int32_t* left,
                                                                           const int32_t* right) {
  minicosm::RigidBatch b{};
  b.num_walls = (int)sizes[0], b.num_polygons = (int)sizes[1], b.num_circles = (int)sizes[2];
  b.num_joints = (int)sizes[3], b.num_thrusters = (int)sizes[4], b.num_vertices = (int)sizes[5];
  b.num_pairs = (int)sizes[6];
  b.left = left, b.right = right;
  text = minicosm::rigid_source(b);
  return text.c_str();
}

// Compiles a source for compute capability `arch`, 90 for 9.0: what the compiler said after "ok ", or what went wrong.
extern "C" __attribute__((visibility("default"))) const char* compile(const char* source, int64_t arch) {
  std::string code, log;
  const std::string failure = minicosm::cuda_compile(source, (int)arch, code, log);
  text = failure.empty() ? "ok " + std::to_string(code.size()) + " " + log : failure;
  return text.c_str();
}

extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* rigid_grid_tick(XLA_FFI_CallFrame* frame);

XLA_FFI_DEFINE_HANDLER_SYMBOL(rigid_grid_tick, rigid_grid,
                              ffi::Ffi::Bind()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<ffi::Span<const int64_t>>("sizes")
                                  .Attr<ffi::Span<const int32_t>>("left")
                                  .Attr<ffi::Span<const int32_t>>("right")
                                  .Attr<ffi::Span<const float>>("numbers")
                                  .Attr<int64_t>("num_ticks")
                                  .Attr<int64_t>("num_substeps")
                                  .Attr<int64_t>("num_joint_sweeps"));
