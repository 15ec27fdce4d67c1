// Stepping rigid bodies on a GPU: from a batch to a launch of the kernel in rigid_cuda.h. Host only.

#ifndef MINICOSM_KERNELS_RIGID_LAUNCH_H_
#define MINICOSM_KERNELS_RIGID_LAUNCH_H_

#include <stdint.h>

#include <algorithm>
#include <string>

#include "cuda_program.h"
#include "rigid_world.h"

namespace minicosm {

constexpr int kCudaWarp = 32;                         // worlds and threads of a block
constexpr int kBlocksPerMultiprocessor = 16;          // that the registers are shared out for
constexpr int64_t kScratchBytes = int64_t{1} << 30;   // for more blocks than run at once, to even out their loads

// The kernel's source for the sizes of `b`, whose `left` and `right` are on the host.
inline std::string rigid_source(const RigidBatch& b) {
  const auto define = [](const char* name, int64_t value) {
    return std::string("#define MINICOSM_") + name + " " + std::to_string(value) + "\n";
  };
  const auto table = [&](const char* name, const int32_t* shapes) {
    std::string text = std::string("static __device__ const int32_t ") + name + "[] = {";
    for (int i = 0; i < b.num_pairs; i++) text += std::to_string(shapes[i]) + ",";
    return text + "0};\n";  // never empty
  };
  return define("WALLS", b.num_walls) + define("POLYGONS", b.num_polygons) + define("CIRCLES", b.num_circles) +
         define("JOINTS", b.num_joints) + define("THRUSTERS", b.num_thrusters) + define("VERTICES", b.num_vertices) +
         define("PAIRS", b.num_pairs) + define("BLOCKS", kBlocksPerMultiprocessor) +
         define("BATCH_BYTES", sizeof(RigidBatch)) + "#include <stdint.h>\nnamespace minicosm {\n" + table("kLeft", b.left) +
         table("kRight", b.right) + "}\n#include \"rigid_cuda.h\"\n";
}

// Steps `worlds` worlds on `stream`. `allocate(bytes)` gives memory of the GPU until the launch is done, or null; it is
// asked for no more than the running blocks need, or `spare` bytes. Returns what went wrong, if anything.
template <class Allocate>
std::string launch_rigid(RigidBatch b, int64_t worlds, void* stream, const Allocate& allocate, int64_t spare = kScratchBytes) {
  if (!worlds) return "";
  CudaKernel kernel;
  std::string failure = cuda_kernel(stream, rigid_source(b), "minicosm_rigid_tick_kernel", kCudaWarp, kernel);
  if (!failure.empty()) return failure;
  const int64_t per_block = rigid_scratch(b) * kCudaWarp * 4;
  const int64_t most = std::max<int64_t>(kernel.blocks, spare / per_block);
  const int64_t blocks = std::min((worlds + kCudaWarp - 1) / kCudaWarp, most);
  float* scratch = static_cast<float*>(allocate(blocks * per_block));
  if (!scratch) {
    return "the GPU has no " + std::to_string(blocks * per_block >> 20) +
           " MiB left for working memory; step fewer worlds at a time";
  }
  void* arguments[] = {&b, &scratch, &worlds};
  return cuda_launch(kernel, blocks, kCudaWarp, stream, arguments);
}

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_RIGID_LAUNCH_H_
