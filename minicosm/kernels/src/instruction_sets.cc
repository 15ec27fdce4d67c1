// Which of the compiled instruction sets runs: the best one that the processor has, unless one is asked for.

#include <string.h>

#include "kernels.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {

// setup.py names the sets that it compiled: -DMINICOSM_ISAS="X(baseline) X(avx2) X(avx512)", slowest first.
#define X(isa)                \
  namespace isa {             \
  extern const Kernels table; \
  }
MINICOSM_ISAS
#undef X

namespace {

bool supported(const char* isa) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();  // this may run before the constructors of the compiler's library
  if (!strcmp(isa, "avx2")) return __builtin_cpu_supports("avx2");
  if (!strcmp(isa, "avx512")) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return !strcmp(isa, "baseline");
}

struct Set {
  const char* name;
  const Kernels* table;
};

const Set kSets[] = {
#define X(isa) {#isa, &isa::table},
    MINICOSM_ISAS
#undef X
};

const Set* best() {
  const Set* chosen = kSets;
  for (const Set& set : kSets) {
    if (supported(set.name)) chosen = &set;
  }
  return chosen;
}

const Set* chosen = best();

}  // namespace

const Kernels& kernels() { return *chosen->table; }

}  // namespace minicosm

// Runs the set called `name` from now on, or the best one for an empty name.
// Returns 0; 1 where there is no such set in this library; 2 where the processor does not have it.
MINICOSM_EXPORT int minicosm_select(const char* name) {
  if (!*name) {
    minicosm::chosen = minicosm::best();
    return 0;
  }
  for (const minicosm::Set& set : minicosm::kSets) {
    if (strcmp(set.name, name)) continue;
    if (!minicosm::supported(name)) return 2;
    minicosm::chosen = &set;
    return 0;
  }
  return 1;
}

// The name of the set that runs.
MINICOSM_EXPORT const char* minicosm_selected() { return minicosm::chosen->name; }

// Whether the processor has the set called `name`.
MINICOSM_EXPORT int minicosm_supported(const char* name) { return minicosm::supported(name); }

// The names of the sets in this library, slowest first: the `i`-th, or null beyond the last.
MINICOSM_EXPORT const char* minicosm_set(int i) {
  constexpr int kCount = sizeof(minicosm::kSets) / sizeof(minicosm::kSets[0]);
  return i >= 0 && i < kCount ? minicosm::kSets[i].name : nullptr;
}
