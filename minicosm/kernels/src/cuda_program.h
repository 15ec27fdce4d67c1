// CUDA without a toolkit: the driver and NVRTC, NVIDIA's run-time compiler, loaded when a program first runs on a GPU.
//
// A kernel is compiled for the GPU at hand from the headers that the package installs, and kept for as long as the
// process lives. Failures are sentences that say what to do, empty where there was none. Host only.

#ifndef MINICOSM_KERNELS_CUDA_PROGRAM_H_
#define MINICOSM_KERNELS_CUDA_PROGRAM_H_

#include <stdint.h>

#include <string>

namespace minicosm {

// A kernel on the GPU of one stream.
struct CudaKernel {
  void* function = nullptr;
  int blocks = 0;  // that the GPU holds at once
};

// Machine code of `source` for compute capability `arch`, 90 for 9.0; `log` is what the compiler said.
std::string cuda_compile(const std::string& source, int arch, std::string& code, std::string& log);

// The kernel called `name` of `source` for the GPU of `stream`, to be launched with `threads` a block.
std::string cuda_kernel(void* stream, const std::string& source, const char* name, int threads, CudaKernel& found);

// Launches it with `blocks` blocks; `arguments` point to the values of its parameters.
std::string cuda_launch(const CudaKernel& kernel, int64_t blocks, int threads, void* stream, void** arguments);

}  // namespace minicosm

#endif  // MINICOSM_KERNELS_CUDA_PROGRAM_H_
