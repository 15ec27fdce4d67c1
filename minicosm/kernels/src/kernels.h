// The kernels of one instruction set, as a table of plain functions: all that the rest of the library knows of them.

#ifndef MINICOSM_KERNELS_KERNELS_H_
#define MINICOSM_KERNELS_KERNELS_H_

#include <stdint.h>

namespace minicosm {

struct LidarScan;
struct PictureBatch;
struct RigidBatch;

struct Kernels {
  // Each works on the worlds first … last - 1 of what it is given.
  void (*lidar_scan)(const LidarScan& scan, int64_t first, int64_t last);
  // In scratch memory of `width` times rigid_scratch(batch) floats, aligned to 64 bytes.
  void (*rigid_tick)(const RigidBatch& batch, float* scratch, int64_t first, int64_t last);
  void (*picture)(const PictureBatch& batch, int64_t first, int64_t last);
  int width;  // floats in a vector
};

// The table for this machine, or the one that was asked for: see instruction_sets.cc.
const Kernels& kernels();

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_KERNELS_H_
