// Lets a C++ compiler for the CPU take CUDA sources: a grid is plain loops over its blocks and their threads.
// For kernels without barriers, whose threads share nothing but memory that each keeps its own part of.

#pragma once

#include <math.h>
#include <stdint.h>

#define __CUDACC__
#define __device__
#define __global__
#define __shared__ static
#define __grid_constant__
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads, blocks)

struct Index {
  unsigned x;
};
static Index blockIdx, threadIdx, gridDim;

static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
