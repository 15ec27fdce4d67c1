#include "cuda_program.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <utility>

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

// Of cuda.h: CUdevice_attribute.
constexpr int kMultiprocessors = 16, kCapabilityMajor = 75, kCapabilityMinor = 76;

// The one header that the kernels' headers take from the system, where there may be none.
constexpr char kStdint[] =
    "typedef signed char int8_t;\ntypedef unsigned char uint8_t;\ntypedef int int32_t;\ntypedef unsigned uint32_t;\n"
    "typedef long long int64_t;\ntypedef unsigned long long uint64_t;\n#define INT32_MIN (-2147483647 - 1)\n";

// What of the two libraries is used, as cuda.h and nvrtc.h declare it; handles are plain pointers, an int names a GPU.
struct Driver {
  int (*cuGetErrorString)(int, const char**);
  int (*cuStreamGetCtx)(void*, void**);
  int (*cuCtxPushCurrent_v2)(void*);
  int (*cuCtxPopCurrent_v2)(void**);
  int (*cuCtxGetDevice)(int*);
  int (*cuDeviceGetAttribute)(int*, int, int);
  int (*cuModuleLoadData)(void**, const void*);
  int (*cuModuleGetFunction)(void**, void*, const char*);
  int (*cuOccupancyMaxActiveBlocksPerMultiprocessor)(int*, void*, int, size_t);
  int (*cuLaunchKernel)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
};

struct Compiler {
  const char* (*nvrtcGetErrorString)(int);
  int (*nvrtcCreateProgram)(void**, const char*, const char*, int, const char* const*, const char* const*);
  int (*nvrtcCompileProgram)(void*, int, const char* const*);
  int (*nvrtcGetProgramLogSize)(void*, size_t*);
  int (*nvrtcGetProgramLog)(void*, char*);
  int (*nvrtcGetCUBINSize)(void*, size_t*);
  int (*nvrtcGetCUBIN)(void*, char*);
  int (*nvrtcDestroyProgram)(void**);
};

// Where things are, and what has been made of them. Guarded by one lock: a second caller waits for the same kernel.
struct Cuda {
  std::mutex lock;
  std::string driver_path = "libcuda.so.1", compiler_path, headers;
  Driver driver{};
  Compiler compiler{};
  bool has_driver = false, has_compiler = false;
  std::map<std::pair<int, std::string>, std::string> code;      // by compute capability and source
  std::map<std::pair<void*, std::string>, CudaKernel> kernels;  // by context, and name and source
};

Cuda& cuda() {
  static Cuda* const one = new Cuda;  // never destroyed: the driver may be gone first
  return *one;
}

// Opens a library and looks up functions in it: X(name) for each.
class Library {
 public:
  explicit Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) failure_ = dlerror();
  }
  template <class F>
  void find(const char* name, F& function) {
    if (!handle_ || !failure_.empty()) return;
    function = (F)dlsym(handle_, name);
    if (!function) failure_ = std::string("it has no ") + name;
  }
  const std::string& failure() const { return failure_; }

 private:
  void* handle_;
  std::string failure_;
};

std::string load_driver(Cuda& c) {
  if (c.has_driver) return "";
  Library library(c.driver_path);
  Driver& d = c.driver;
#define X(name) library.find(#name, d.name);
  X(cuGetErrorString) X(cuStreamGetCtx) X(cuCtxPushCurrent_v2) X(cuCtxPopCurrent_v2) X(cuCtxGetDevice)
  X(cuDeviceGetAttribute) X(cuModuleLoadData) X(cuModuleGetFunction) X(cuOccupancyMaxActiveBlocksPerMultiprocessor)
  X(cuLaunchKernel)
#undef X
  if (!library.failure().empty()) {
    return "NVIDIA's driver library does not load (" + library.failure() + "); install or update the driver";
  }
  c.has_driver = true;
  return "";
}

std::string load_compiler(Cuda& c) {
  if (c.has_compiler) return "";
  Library library(c.compiler_path);
  Compiler& n = c.compiler;
#define X(name) library.find(#name, n.name);
  X(nvrtcGetErrorString) X(nvrtcCreateProgram) X(nvrtcCompileProgram) X(nvrtcGetProgramLogSize) X(nvrtcGetProgramLog)
  X(nvrtcGetCUBINSize) X(nvrtcGetCUBIN) X(nvrtcDestroyProgram)
#undef X
  if (!library.failure().empty()) {
    return "NVRTC does not load (" + library.failure() + "); reinstall minicosm[cuda], or set MINICOSM_KERNELS=off";
  }
  c.has_compiler = true;
  return "";
}

std::string compile(Cuda& c, const std::string& source, int arch, std::string& code, std::string& log) {
  if (std::string failure = load_compiler(c); !failure.empty()) return failure;
  const Compiler& n = c.compiler;
  const std::string target = "--gpu-architecture=sm_" + std::to_string(arch), include = "-I" + c.headers;
  const char* const options[] = {target.c_str(), include.c_str(), "--std=c++17", "--fmad=false", "--device-as-default-execution-space",
                                 "--ptxas-options=-v"};
  const char* const names[] = {"stdint.h"};
  const char* const headers[] = {kStdint};
  void* program = nullptr;
  size_t size = 0;
  int status = n.nvrtcCreateProgram(&program, source.c_str(), "minicosm.cu", 1, headers, names);
  if (!status) {
    status = n.nvrtcCompileProgram(program, sizeof(options) / sizeof(options[0]), options);
    if (!n.nvrtcGetProgramLogSize(program, &size)) {
      log.resize(size);
      n.nvrtcGetProgramLog(program, &log[0]);
    }
  }
  if (!status) status = n.nvrtcGetCUBINSize(program, &size);
  if (!status) {
    code.resize(size);
    status = n.nvrtcGetCUBIN(program, &code[0]);
  }
  if (program) n.nvrtcDestroyProgram(&program);
  if (!status) return "";
  return "NVRTC could not compile a kernel for sm_" + std::to_string(arch) + " (" + n.nvrtcGetErrorString(status) +
         "); a newer GPU may need a newer NVRTC, or set MINICOSM_KERNELS=off: " + log.substr(0, 2000);
}

std::string explain(const Driver& d, const char* what, int status) {
  const char* text = nullptr;
  d.cuGetErrorString(status, &text);
  return std::string("the GPU refuses to ") + what + " (" + (text ? text : "unknown error") + " " + std::to_string(status) +
         "); set MINICOSM_KERNELS=off to do without kernels";
}

// The GPU's kernel, in the context that is current now.
std::string make_kernel(Cuda& c, const std::string& source, const char* name, int threads, CudaKernel& made) {
  const Driver& d = c.driver;
  int device = 0, major = 0, minor = 0, multiprocessors = 0, blocks = 0;
  int status = d.cuCtxGetDevice(&device);
  if (!status) status = d.cuDeviceGetAttribute(&major, kCapabilityMajor, device);
  if (!status) status = d.cuDeviceGetAttribute(&minor, kCapabilityMinor, device);
  if (!status) status = d.cuDeviceGetAttribute(&multiprocessors, kMultiprocessors, device);
  if (status) return explain(d, "say what it is", status);
  const int arch = 10 * major + minor;
  std::string& code = c.code[{arch, source}];
  if (code.empty()) {
    std::string log;
    if (std::string failure = compile(c, source, arch, code, log); !failure.empty()) {
      code.clear();
      return failure;
    }
  }
  void* module = nullptr;
  status = d.cuModuleLoadData(&module, code.data());
  if (!status) status = d.cuModuleGetFunction(&made.function, module, name);
  if (status) return explain(d, "load a kernel", status);
  status = d.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, made.function, threads, 0);
  if (status) return explain(d, "hold a kernel", status);
  made.blocks = multiprocessors * (blocks > 0 ? blocks : 1);
  return "";
}

}  // namespace

std::string cuda_compile(const std::string& source, int arch, std::string& code, std::string& log) {
  Cuda& c = cuda();
  const std::lock_guard<std::mutex> guard(c.lock);
  return compile(c, source, arch, code, log);
}

std::string cuda_kernel(void* stream, const std::string& source, const char* name, int threads, CudaKernel& found) {
  Cuda& c = cuda();
  const std::lock_guard<std::mutex> guard(c.lock);
  if (std::string failure = load_driver(c); !failure.empty()) return failure;
  void* context = nullptr;
  if (int status = c.driver.cuStreamGetCtx(stream, &context)) return explain(c.driver, "name its context", status);
  CudaKernel& kernel = c.kernels[{context, name + source}];
  if (!kernel.function) {
    CudaKernel made;
    if (int status = c.driver.cuCtxPushCurrent_v2(context)) return explain(c.driver, "take its context", status);
    const std::string failure = make_kernel(c, source, name, threads, made);
    c.driver.cuCtxPopCurrent_v2(&context);
    if (!failure.empty()) return failure;
    kernel = made;
  }
  found = kernel;
  return "";
}

std::string cuda_launch(const CudaKernel& kernel, int64_t blocks, int threads, void* stream, void** arguments) {
  const Driver& d = cuda().driver;
  const int status =
      d.cuLaunchKernel(kernel.function, (unsigned)blocks, 1, 1, (unsigned)threads, 1, 1, 0, stream, arguments, nullptr);
  return status ? explain(d, "launch a kernel", status) : "";
}

}  // namespace minicosm

// Where NVRTC and the kernels' headers are; a path of the driver's library, or an empty one for the system's. What was
// compiled before is forgotten.
MINICOSM_EXPORT void minicosm_cuda_paths(const char* compiler, const char* headers, const char* driver) {
  minicosm::Cuda& c = minicosm::cuda();
  const std::lock_guard<std::mutex> guard(c.lock);
  c.compiler_path = compiler;
  c.headers = headers;
  if (*driver) c.driver_path = driver;
  c.has_compiler = c.has_driver = false;
  c.code.clear();
  c.kernels.clear();
}
