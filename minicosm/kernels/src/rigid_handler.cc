// What XLA calls to step rigid bodies on the CPU: spreads the worlds over the cores.

#include <cstdlib>
#include <memory>

#include "kernels.h"
#include "parallel.h"
#include "rigid_call.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

namespace ffi = xla::ffi;

// Pairs of a block: of the order of 50 us, or down to 10 us where some thread would have none; waking one takes some 10.
constexpr int64_t kMostPairs = 2048, kFewestPairs = 512;
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

// How many vectors of worlds one thread takes at a time, of `vectors` with so many pairs each.
int64_t vectors_of_block(int64_t vectors, int64_t pairs, int64_t threads) {
  const int64_t share = (vectors + threads - 1) / std::max<int64_t>(1, threads);
  const int64_t fewest = kFewestPairs / std::max<int64_t>(1, pairs), most = kMostPairs / std::max<int64_t>(1, pairs);
  return std::max<int64_t>(1, std::clamp(share, fewest, most));
}

ffi::Error rigid_tick(ffi::ThreadPool pool, ffi::RemainingArgs arguments, ffi::RemainingRets results,
                      ffi::Span<const int64_t> sizes, ffi::Span<const int32_t> left, ffi::Span<const int32_t> right,
                      ffi::Span<const float> numbers, int64_t num_ticks, int64_t num_substeps,
                      int64_t num_joint_sweeps) {
  RigidBatch b{};
  int64_t worlds = 0;
  const RigidAttributes attributes{sizes, left, right, numbers, num_ticks, num_substeps, num_joint_sweeps};
  ffi::Error error = read_rigid_call(arguments, results, attributes, b, worlds);
  if (error.failure()) return error;
  const Kernels& set = kernels();
  const int64_t floats = set.width * rigid_scratch(b);
  std::atomic<bool> enough{true};
  const int64_t vectors = (worlds + set.width - 1) / set.width;
  int64_t block = set.width;  // of one vector there is nothing to work out
  if (vectors > 1) block *= vectors_of_block(vectors, set.width * b.num_pairs * num_ticks, pool.num_threads());
  parallel_for(pool, worlds, block, [&](int64_t first, int64_t last) {
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
                                  .Attr<int64_t>("num_ticks")
                                  .Attr<int64_t>("num_substeps")
                                  .Attr<int64_t>("num_joint_sweeps"));
