// Every function of simd.h, at every width, against one number at a time: bit for bit.

#include <math.h>
#include <string.h>

#include "fuzz_random.h"
#include "simd.h"

namespace minicosm {

bool same(float a, float b) { return !memcmp(&a, &b, sizeof a) || (isnan(a) && isnan(b)); }

float special(Random& random) {
  const float values[] = {0.0f,   -0.0f,       0.5f,  -0.5f, 1.5f,  2.5f,     -1.5f,    8388607.5f, -8388607.5f,
                          16e6f,  -16777215.f, 3e38f, -3e9f, 1e-40f, INFINITY, -INFINITY, NAN,        0.49999997f};
  return random.below(4) ? random.uniform(-20.0f, 20.0f) : values[random.below(18)];
}

template <int W>
void arithmetic(Random& random) {
  float a[W], b[W], small[W];
  for (int i = 0; i < W; i++) {
    a[i] = special(random);
    b[i] = special(random);
    small[i] = random.uniform(-1e6f, 1e6f);
  }
  const V<W> va = load<W>(a), vb = load<W>(b), vs = load<W>(small);
  const M<W> less = va < vb;
  const V<W> negative = not_(less) ? vb : va;
  uint32_t expected = 0;
  for (int i = 0; i < W; i++) {
    CHECK(same(get(min(va, vb), i), a[i] < b[i] ? a[i] : b[i]));
    CHECK(same(get(max(va, vb), i), a[i] > b[i] ? a[i] : b[i]));
    CHECK(same(get(abs(va), i), fabsf(a[i])));
    CHECK(same(get(sqrt(abs(va)), i), sqrtf(fabsf(a[i]))));
    CHECK(same(get(rint(va), i), rintf(a[i])));
    CHECK(same(get(floor(va), i), floorf(a[i])));
    CHECK(same(get(select(less, va, vb), i), a[i] < b[i] ? a[i] : b[i]));
    CHECK(same(get(negative, i), a[i] < b[i] ? a[i] : b[i]));
    CHECK(get(to_int(vs), i) == (int32_t)small[i]);
    CHECK(same(get(to_float(to_int(vs)), i), (float)(int32_t)small[i]));
    CHECK(same(get(splat<W>(a[i]), i), a[i]) && same(get(splat<W>(a[i]), W - 1), a[i]));
    CHECK(get(splat_int<W>(-7), i) == -7 && get(splat_unsigned<W>(7), i) == 7 && get(lane_index<W>(), i) == i);
    expected |= (uint32_t)(a[i] < b[i]) << i;
  }
  CHECK(bits(less) == expected);
  CHECK(any_of(less) == (expected != 0));
  CHECK(all_of(less) == (expected == (1u << W) - 1));
  CHECK(all_of(less | not_(less)) && !any_of(less & not_(less)));
  V<W> changed = va;
  const int lane = random.below(W);
  set(changed, lane, 3.0f);
  float stored[W];
  store(stored, changed);
  for (int i = 0; i < W; i++) CHECK(same(stored[i], i == lane ? 3.0f : a[i]));
}

template <int W, int N>
void rows(Random& random) {
  const int stride = N + random.below(5);
  float* source = new float[(W - 1) * stride + N];  // of the exact size, for the address sanitizer
  float* copy = new float[(W - 1) * stride + N];
  for (int i = 0; i < (W - 1) * stride + N; i++) source[i] = copy[i] = random.uniform(-1.0f, 1.0f);
  V<W> fields[N];
  load_rows<W>(source, stride, fields);
  for (int w = 0; w < W; w++) {
    for (int k = 0; k < N; k++) {
      CHECK(get(fields[k], w) == source[w * stride + k]);
      copy[w * stride + k] = 0.0f;
    }
  }
  store_rows<W>(copy, stride, fields);
  CHECK(!memcmp(copy, source, sizeof(float) * ((W - 1) * stride + N)));
  delete[] source;
  delete[] copy;
}

template <int W>
void all(Random& random) {
  for (int i = 0; i < 2000; i++) arithmetic<W>(random);
  for (int i = 0; i < 20; i++) {
    rows<W, 1>(random);
    rows<W, 5>(random);
    rows<W, 16>(random);
    rows<W, 37>(random);
  }
}

}  // namespace minicosm

int main() {
  Random random{1};
  minicosm::all<1>(random);
  minicosm::all<4>(random);
  minicosm::all<8>(random);
  minicosm::all<16>(random);
  return 0;
}
