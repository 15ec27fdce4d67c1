// Random numbers and checks for the fuzz programs.

#ifndef MINICOSM_TESTS_FUZZ_RANDOM_H_
#define MINICOSM_TESTS_FUZZ_RANDOM_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Deterministic everywhere: splitmix64.
struct Random {
  uint64_t state;

  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int below(int n) { return (int)(next() % (uint64_t)n); }
  float uniform(float low, float high) { return low + (high - low) * ((float)(next() >> 40) / 16777216.0f); }
};

#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                         \
    }                                                                  \
  } while (0)

#endif  // MINICOSM_TESTS_FUZZ_RANDOM_H_
