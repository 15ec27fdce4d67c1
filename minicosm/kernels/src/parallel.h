// Blocks of worlds on every core, by the thread pool that XLA runs the program on. Host only.

#ifndef MINICOSM_KERNELS_PARALLEL_H_
#define MINICOSM_KERNELS_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "xla/ffi/api/ffi.h"

namespace minicosm {

// Calls body(first, last) for blocks of `block` of `count` items, in any order and on any thread, and returns when all
// are done. The caller works on blocks itself, so it never waits for a thread that has none: every thread of the pool
// may be in here at once. The blocks depend on `count` and `block` alone, so the number of threads changes no result.
template <class Body>
void parallel_for(xla::ffi::ThreadPool& pool, int64_t count, int64_t block, const Body& body) {
  const int64_t num_blocks = (count + block - 1) / block;
  const int64_t num_helpers = num_blocks > 1 ? std::min(pool.num_threads(), num_blocks) - 1 : 0;
  if (num_helpers <= 0) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  // What the threads share lives until the last of them has looked, which may be after the return: `body` is not
  // touched by a thread that finds no block left.
  struct Progress {
    std::atomic<int64_t> next{0}, done{0};
  };
  const auto progress = std::make_shared<Progress>();
  const auto work = [progress, count, block, num_blocks, &body] {
    for (int64_t i; (i = progress->next.fetch_add(1)) < num_blocks;) {
      body(i * block, std::min(count, (i + 1) * block));
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (int64_t i = 0; i < num_helpers; i++) {
    auto task = work;
    pool.Schedule(std::move(task));
  }
  work();
  while (progress->done.load(std::memory_order_acquire) < num_blocks) std::this_thread::yield();
}

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_PARALLEL_H_
