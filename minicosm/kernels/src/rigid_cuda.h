// The rigid-body tick on a GPU: one world per thread, one warp per block.
//
// This is compiled on the user's machine, when a program first steps scenes of some size (cuda_program.h), by what the
// launcher puts in front of it: the sizes as macros and the pairs as arrays kLeft and kRight, so that loops have known
// ends and addresses in the scratch memory are a base and a constant. Nothing is contracted (-fmad=false), so a world
// comes out bit for bit as on the CPU.
//
// tests/kernels/rigid_grid.cc compiles it for the CPU too, with a thread for each of a warp.

#ifndef MINICOSM_KERNELS_RIGID_CUDA_H_
#define MINICOSM_KERNELS_RIGID_CUDA_H_

#include "simd.h"

// On a GPU a call is dear: arguments and the world's many pointers would go through memory. Each part has one or two
// callers.
#undef MINICOSM_PART
#define MINICOSM_PART MINICOSM_FN

#include "rigid_tick.h"

namespace minicosm {

constexpr int kWarp = Strided<float>::kStride;

// The sizes of `given`, as constants.
MINICOSM_FN RigidBatch specialised(const RigidBatch& given) {
  RigidBatch b = given;
  b.num_walls = MINICOSM_WALLS;
  b.num_polygons = MINICOSM_POLYGONS;
  b.num_circles = MINICOSM_CIRCLES;
  b.num_joints = MINICOSM_JOINTS;
  b.num_thrusters = MINICOSM_THRUSTERS;
  b.num_vertices = MINICOSM_VERTICES;
  b.num_pairs = MINICOSM_PAIRS;
  b.left = kLeft;
  b.right = kRight;
  return b;
}

// What every contact reads by the number of a shape, hence each thread elsewhere: in shared memory that costs nothing,
// since a thread keeps to its bank. Where it is too much, it stays in the scratch memory.
constexpr int kSeats = MINICOSM_POLYGONS + MINICOSM_CIRCLES - MINICOSM_WALLS + 1;
constexpr int kShared = 2 * 3 * kSeats + 2 * (MINICOSM_POLYGONS + MINICOSM_CIRCLES);
constexpr bool kIsShared = kShared * kWarp * 4 <= 24 * 1024;

MINICOSM_FN void move_to_shared(RigidWorld<1>& world, float* shared) {
  constexpr int shapes = MINICOSM_POLYGONS + MINICOSM_CIRCLES;
  const Array<1> memory{shared};
  world.velocity = memory;
  world.moved = memory.at(3 * kSeats);
  world.inverse_mass = memory.at(6 * kSeats);
  world.inverse_inertia = memory.at(6 * kSeats + shapes);
}

}  // namespace minicosm

// Steps `worlds` worlds. Scratch memory: rigid_scratch numbers for every thread of the grid.
extern "C" __global__ void __launch_bounds__(minicosm::kWarp, MINICOSM_BLOCKS)
    minicosm_rigid_tick_kernel(const __grid_constant__ minicosm::RigidBatch given, float* scratch, int64_t worlds) {
  using namespace minicosm;
  static_assert(sizeof(RigidBatch) == MINICOSM_BATCH_BYTES, "host and device lay the batch out alike");
  __shared__ float shared[kIsShared ? kShared * kWarp : 1];
  const RigidBatch b = specialised(given);
  float* const own = scratch + blockIdx.x * rigid_scratch(b) * kWarp + threadIdx.x;
  const int64_t step = (int64_t)gridDim.x * kWarp;
  for (int64_t w = (int64_t)blockIdx.x * kWarp + threadIdx.x; w < worlds; w += step) {
    RigidWorld<1> world = lay_out<1>(b, {own});
    if constexpr (kIsShared) move_to_shared(world, shared + threadIdx.x);
    step_worlds<1, (MINICOSM_VERTICES <= 4 ? 4 : 16)>(b, world, w);
  }
}

#endif  // MINICOSM_KERNELS_RIGID_CUDA_H_
