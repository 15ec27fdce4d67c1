// What XLA calls to step rigid bodies on a GPU. Not to be recorded in a CUDA graph: it allocates working memory.

#include "rigid_call.h"
#include "rigid_launch.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

namespace ffi = xla::ffi;

constexpr size_t kAlignment = 256;  // a warp reads whole lines

ffi::Error rigid_tick_cuda(void* stream, ffi::ScratchAllocator memory, ffi::RemainingArgs arguments,
                           ffi::RemainingRets results, ffi::Span<const int64_t> sizes, ffi::Span<const int32_t> left,
                           ffi::Span<const int32_t> right, ffi::Span<const float> numbers, int64_t num_ticks,
                           int64_t num_substeps, int64_t num_joint_sweeps) {
  RigidBatch b{};
  int64_t worlds = 0;
  const RigidAttributes attributes{sizes, left, right, numbers, num_ticks, num_substeps, num_joint_sweeps};
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
                                  .Attr<int64_t>("num_ticks")
                                  .Attr<int64_t>("num_substeps")
                                  .Attr<int64_t>("num_joint_sweeps"));
