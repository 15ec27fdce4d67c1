// A GPU for tests where there is none: what the kernels use of NVIDIA's driver and of NVRTC, in one library.
//
// NVRTC's part compiles a source for the CPU with $MINICOSM_FAKE_CXX, a compiler and its options; the "machine code" is
// the path of the library so made. Launching calls it for every thread of every block, in turn. $MINICOSM_FAKE_FAIL names
// a function that is to fail.

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kFailed = 700;
char the_context, the_stream;
long launches;

bool fails(const char* function) {
  const char* name = getenv("MINICOSM_FAKE_FAIL");
  return name && !strcmp(name, function);
}

struct Program {
  std::string source, log, code;
};

int run_compiler(Program& program, const std::string& include) {
  static int count = 0;
  const std::string made = std::string(getenv("MINICOSM_FAKE_FOLDER")) + "/program" + std::to_string(count++);
  std::ofstream(made + ".cc") << program.source << R"(
extern "C" __attribute__((visibility("default"))) void run_grid(unsigned blocks, unsigned threads, void** arguments) {
  gridDim.x = blocks;
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
    for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) {
      minicosm_rigid_tick_kernel(*(const minicosm::RigidBatch*)arguments[0], *(float**)arguments[1], *(int64_t*)arguments[2]);
    }
  }
}
)";
  const std::string command = std::string(getenv("MINICOSM_FAKE_CXX")) + " " + include + " -shared -fPIC -o " + made +
                              ".so " + made + ".cc > " + made + ".log 2>&1";
  const int status = system(command.c_str());
  std::ifstream log(made + ".log");
  program.log.assign(std::istreambuf_iterator<char>(log), {});
  program.code = made + ".so";
  return status ? 6 : 0;
}

}  // namespace

EXPORT void* fake_stream() { return &the_stream; }
EXPORT long fake_launches() { return launches; }

EXPORT int cuGetErrorString(int, const char** text) { return *text = "a fault made for the test", 0; }
EXPORT int cuStreamGetCtx(void* stream, void** context) {
  *context = &the_context;
  return stream == &the_stream && !fails("cuStreamGetCtx") ? 0 : kFailed;
}
EXPORT int cuCtxPushCurrent_v2(void* context) { return context == &the_context ? 0 : kFailed; }
EXPORT int cuCtxPopCurrent_v2(void** context) { return *context = &the_context, 0; }
EXPORT int cuCtxGetDevice(int* device) { return *device = 3, 0; }
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
  if (device != 3) return kFailed;
  *value = attribute == 16 ? 2 : attribute == 75 ? 9 : 0;  // two multiprocessors of compute capability 9.0
  return 0;
}
EXPORT int cuModuleLoadData(void** module, const void* code) {
  *module = dlopen((const char*)code, RTLD_NOW | RTLD_LOCAL);
  return *module && !fails("cuModuleLoadData") ? 0 : kFailed;
}
EXPORT int cuModuleGetFunction(void** function, void* module, const char* name) {
  if (!dlsym(module, name)) return kFailed;
  *function = dlsym(module, "run_grid");
  return *function ? 0 : kFailed;
}
EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int, size_t) { return *blocks = 1, 0; }
EXPORT int cuLaunchKernel(void* function, unsigned blocks, unsigned, unsigned, unsigned threads, unsigned, unsigned, unsigned,
                          void* stream, void** arguments, void**) {
  if (stream != &the_stream || fails("cuLaunchKernel")) return kFailed;
  ((void (*)(unsigned, unsigned, void**))function)(blocks, threads, arguments);
  launches++;
  return 0;
}

EXPORT const char* nvrtcGetErrorString(int) { return "compilation failed"; }
EXPORT int nvrtcCreateProgram(void** program, const char* source, const char*, int, const char* const*, const char* const*) {
  *program = new Program{source, "", ""};
  return 0;
}
EXPORT int nvrtcCompileProgram(void* program, int count, const char* const* options) {
  if (fails("nvrtcCompileProgram")) return 6;
  std::string include, arch;
  for (int i = 0; i < count; i++) {
    if (!strncmp(options[i], "-I", 2)) include = options[i];
    if (!strncmp(options[i], "--gpu-architecture=", 19)) arch = options[i] + 19;
  }
  return arch == "sm_90" ? run_compiler(*(Program*)program, include) : 5;
}
EXPORT int nvrtcGetProgramLogSize(void* program, size_t* size) { return *size = ((Program*)program)->log.size() + 1, 0; }
EXPORT int nvrtcGetProgramLog(void* program, char* log) { return strcpy(log, ((Program*)program)->log.c_str()), 0; }
EXPORT int nvrtcGetCUBINSize(void* program, size_t* size) { return *size = ((Program*)program)->code.size() + 1, 0; }
EXPORT int nvrtcGetCUBIN(void* program, char* code) { return strcpy(code, ((Program*)program)->code.c_str()), 0; }
EXPORT int nvrtcDestroyProgram(void** program) { return delete (Program*)*program, 0; }
