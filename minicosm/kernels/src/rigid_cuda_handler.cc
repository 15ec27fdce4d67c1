// What XLA calls to step rigid bodies on a GPU. Not to be recorded in a CUDA graph: it allocates working memory.

#include <algorithm>
#include <cstring>

#include "rigid_call.h"
#include "rigid_launch.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

namespace ffi = xla::ffi;

constexpr size_t kAlignment = 256;  // a warp reads whole lines

ffi::Error rigid_tick_cuda(void* stream, ffi::ScratchAllocator memory, ffi::RemainingArgs arguments,
                           ffi::RemainingRets results, ffi::Span<const int64_t> sizes, ffi::Span<const int32_t> left,
                           ffi::Span<const int32_t> right, ffi::Span<const float> numbers, int64_t num_substeps,
                           int64_t num_joint_sweeps) {
  RigidBatch b{};
  int64_t worlds = 0;
  const RigidAttributes attributes{sizes, left, right, numbers, num_substeps, num_joint_sweeps};
  ffi::Error error = read_rigid_call(arguments, results, attributes, b, worlds);
  if (error.failure()) return error;
  const std::string failure = launch_rigid(
      b, worlds, stream, [&](int64_t bytes) { return memory.Allocate((size_t)bytes, kAlignment).value_or(nullptr); });
  return failure.empty() ? ffi::Error::Success() : ffi::Error(ffi::ErrorCode::kInternal, "rigid_tick: " + failure);
}

}  // namespace
}  // namespace minicosm

MINICOSM_EXPORT XLA_FFI_Error* minicosm_rigid_tick_cuda(XLA_FFI_CallFrame* frame);

XLA_FFI_DEFINE_HANDLER_SYMBOL(minicosm_rigid_tick_cuda, minicosm::rigid_tick_cuda,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::PlatformStream<void*>>()
                                  .Ctx<xla::ffi::ScratchAllocator>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<xla::ffi::Span<const int64_t>>("sizes")
                                  .Attr<xla::ffi::Span<const int32_t>>("left")
                                  .Attr<xla::ffi::Span<const int32_t>>("right")
                                  .Attr<xla::ffi::Span<const float>>("numbers")
                                  .Attr<int64_t>("num_substeps")
                                  .Attr<int64_t>("num_joint_sweeps"));

// Compiles the kernel for given sizes and compute capability (90 for 9.0) without a GPU, for the tests. Returns the bytes
// of machine code, or -1; `log` takes what the compiler said, up to `room` characters.
MINICOSM_EXPORT int64_t minicosm_rigid_cuda_compile(const int64_t* sizes, const int32_t* left, const int32_t* right, int64_t arch,
                                                    char* log, int64_t room) {
  minicosm::RigidBatch b{};
  b.num_walls = (int)sizes[0], b.num_polygons = (int)sizes[1], b.num_circles = (int)sizes[2];
  b.num_joints = (int)sizes[3], b.num_thrusters = (int)sizes[4], b.num_vertices = (int)sizes[5];
  b.num_pairs = (int)sizes[6];
  b.left = left, b.right = right;
  std::string code, said;
  const std::string failure = minicosm::cuda_compile(minicosm::rigid_source(b), (int)arch, code, said);
  const std::string& text = failure.empty() ? said : failure;
  const size_t length = std::min<size_t>(text.size(), (size_t)room - 1);
  std::memcpy(log, text.data(), length);
  log[length] = 0;
  return failure.empty() ? (int64_t)code.size() : -1;
}
