// W floats at a time, the same code for every W: the vocabulary in which the kernels are written.
//
//   V<W>  W floats       I<W>  W 32-bit integers       U<W>  W 32-bit unsigned integers       M<W>  W truth values
//
// For W = 4, 8 and 16 these are GCC vector extensions (g++ and clang): + - * / and the comparisons work lane by lane,
// and a scalar operand is spread over the lanes. A comparison yields an M<W>; combine masks with & and |, negate them
// with not_(m), choose with select(m, a, b). For W = 1 they are plain float, int32_t, uint32_t and bool: one-lane
// vectors are miscompiled by some compilers (GCC 12 drops their masks), and a GPU thread works on one lane anyway.
// Under CUDA only W = 1 exists, and every function is a device function.
//
// A W wider than a register (kNativeWidth) is right but very slow: compilers take such vectors apart lane by lane.
//
// Every operation here is exactly rounded or exact, and none is contracted or reordered (the build passes
// -ffp-contract=off and no fast-math flag), so a result does not depend on W or on the instruction set.
//
// The code is compiled once per instruction set; the inline namespace MINICOSM_ISA keeps those copies apart.
// Nothing of the C++ library is used: its templates would be merged across instruction sets when linking.
// Kernels live in namespace minicosm, where these names come before those of <math.h> and of CUDA.

#ifndef MINICOSM_KERNELS_SIMD_H_
#define MINICOSM_KERNELS_SIMD_H_

#include <stdint.h>

#ifdef __CUDACC__
#define MINICOSM_FN __device__ __forceinline__
#define MINICOSM_PART __device__ __noinline__
#else
#define MINICOSM_FN inline __attribute__((always_inline))
#define MINICOSM_PART inline __attribute__((noinline))  // a function large enough to stand by itself: compiled once
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#endif

#ifndef MINICOSM_ISA
#define MINICOSM_ISA baseline
#endif

namespace minicosm {
inline namespace MINICOSM_ISA {

// ---------------------------------------------------------------------------------------------------------- types

template <int W>
struct Lanes {
#ifdef __CUDACC__
  static_assert(W == 1, "a GPU thread works on one world: W = 1");
#else
  static_assert(W == 4 || W == 8 || W == 16, "W is 1, 4, 8 or 16");
  typedef float Float __attribute__((vector_size(4 * W)));
  typedef int32_t Int __attribute__((vector_size(4 * W)));
  typedef uint32_t Unsigned __attribute__((vector_size(4 * W)));
  typedef Int Mask;  // -1 where true, 0 where false
#endif
};

template <>
struct Lanes<1> {
  typedef float Float;
  typedef int32_t Int;
  typedef uint32_t Unsigned;
  typedef bool Mask;
};

template <int W>
using V = typename Lanes<W>::Float;
template <int W>
using I = typename Lanes<W>::Int;
template <int W>
using U = typename Lanes<W>::Unsigned;
template <int W>
using M = typename Lanes<W>::Mask;

// The width that fills one register of the instruction set being compiled for.
#if defined(__AVX512F__)
constexpr int kNativeWidth = 16;
#elif defined(__AVX__)
constexpr int kNativeWidth = 8;
#elif defined(__CUDACC__)
constexpr int kNativeWidth = 1;
#else
constexpr int kNativeWidth = 4;
#endif

// Number of lanes of a V, I or U.
template <class T>
constexpr int kWidth = sizeof(T) / 4;

// The mask type that goes with a V, I or U.
template <class T>
using MaskOf = M<kWidth<T>>;

// ----------------------------------------------------------------------------------------- constants, lanes, memory

// `value` in every lane.
template <int W>
MINICOSM_FN V<W> splat(float value) {
  if constexpr (W == 1) {
    return value;
  } else {
    return value - V<W>{};  // not `+`: -0 + 0 is +0
  }
}

template <int W>
MINICOSM_FN I<W> splat_int(int32_t value) {
  return I<W>{} + value;
}

template <int W>
MINICOSM_FN U<W> splat_unsigned(uint32_t value) {
  return U<W>{} + value;
}

// 0, 1, 2, …, W - 1.
template <int W>
MINICOSM_FN I<W> lane_index() {
  I<W> index{};
  if constexpr (W > 1) {
    for (int i = 0; i < W; i++) index[i] = i;
  }
  return index;
}

// Lane `i` of a V, I, U or M.
template <class T>
MINICOSM_FN auto get(const T& v, [[maybe_unused]] int i) {
  if constexpr (sizeof(T) <= 4) {
    return v;
  } else {
    return v[i];
  }
}

template <class T, class S>
MINICOSM_FN void set(T& v, [[maybe_unused]] int i, S value) {
  if constexpr (sizeof(T) <= 4) {
    v = value;
  } else {
    v[i] = value;
  }
}

// W consecutive numbers from `p`, which need not be aligned.
template <int W>
MINICOSM_FN V<W> load(const float* p) {
  V<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <int W>
MINICOSM_FN I<W> load_int(const int32_t* p) {
  I<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
MINICOSM_FN void store(float* p, T v) {
  static_assert(sizeof(T) == 4 * kWidth<T>, "");
  __builtin_memcpy(p, &v, sizeof v);
}

// ---------------------------------------------------------------------------------------------------------- masks

// Per lane, `a` where `m`, else `b`.
template <class T>
MINICOSM_FN T select(MaskOf<T> m, T a, T b) {
  return m ? a : b;
}

template <class Mask>
MINICOSM_FN Mask not_(Mask m) {
  if constexpr (sizeof(Mask) <= sizeof(int)) {  // of one lane: bool, or int after & and |
    return !m;
  } else {
    return ~m;
  }
}

// One bit a lane, lane 0 lowest.
template <class Mask>
MINICOSM_FN uint32_t bits(Mask m) {
  if constexpr (sizeof(Mask) <= sizeof(int)) {  // of one lane: bool, or int after & and |
    return m != 0;
#if !defined(__CUDACC__) && defined(__AVX512DQ__)
  } else if constexpr (sizeof(Mask) == 64) {
    return _mm512_movepi32_mask((__m512i)m);
#endif
#if !defined(__CUDACC__) && defined(__AVX__)
  } else if constexpr (sizeof(Mask) == 32) {
    return (uint32_t)_mm256_movemask_ps((__m256)m);
#endif
#if !defined(__CUDACC__) && defined(__SSE2__)
  } else if constexpr (sizeof(Mask) == 16) {
    return (uint32_t)_mm_movemask_ps((__m128)m);
#endif
  } else if constexpr (sizeof(Mask) > 16) {  // wider than a register: by halves
    constexpr int half = sizeof(Mask) / 8;
    M<half> parts[2];
    __builtin_memcpy(parts, &m, sizeof m);
    return bits(parts[0]) | bits(parts[1]) << half;
  } else {
    uint32_t result = 0;
    for (int i = 0; i < (int)(sizeof(Mask) / 4); i++) result |= (uint32_t)(m[i] & 1) << i;
    return result;
  }
}

template <class Mask>
MINICOSM_FN bool any_of(Mask m) {
  return bits(m) != 0;
}

template <class Mask>
MINICOSM_FN bool all_of(Mask m) {
  if constexpr (sizeof(Mask) <= sizeof(int)) {  // of one lane: bool, or int after & and |
    return m;
  } else {
    return bits(m) == (1u << sizeof(Mask) / 4) - 1;
  }
}

// ----------------------------------------------------------------------------------------------------- arithmetic

// a < b ? a : b, hence b where either is not a number, and where both are zeros.
template <class T>
MINICOSM_FN T min(T a, T b) {
  return a < b ? a : b;
}

// a > b ? a : b, with the same remark.
template <class T>
MINICOSM_FN T max(T a, T b) {
  return a > b ? a : b;
}

template <class T>
MINICOSM_FN T abs(T a) {
  if constexpr (kWidth<T> == 1) {
#ifdef __CUDACC__
    return fabsf(a);
#else
    return __builtin_fabsf(a);
#endif
  } else {
    return (T)((I<kWidth<T>>)a & 0x7fffffff);
  }
}

namespace detail {

// Applies `one`, from one V of half the lanes to another, to both halves of `a`.
template <class T, class F>
MINICOSM_FN T by_halves(T a, F one) {
  V<kWidth<T> / 2> parts[2];
  __builtin_memcpy(parts, &a, sizeof a);
  parts[0] = one(parts[0]);
  parts[1] = one(parts[1]);
  __builtin_memcpy(&a, parts, sizeof a);
  return a;
}

}  // namespace detail

// Square root, exactly rounded.
template <class T>
MINICOSM_FN T sqrt(T a) {
  if constexpr (kWidth<T> == 1) {
#ifdef __CUDACC__
    return __fsqrt_rn(a);
#else
    return __builtin_sqrtf(a);
#endif
#if !defined(__CUDACC__) && defined(__AVX512F__)
  } else if constexpr (kWidth<T> == 16) {
    return (T)_mm512_sqrt_ps((__m512)a);
#endif
#if !defined(__CUDACC__) && defined(__AVX__)
  } else if constexpr (kWidth<T> == 8) {
    return (T)_mm256_sqrt_ps((__m256)a);
#endif
#if !defined(__CUDACC__) && defined(__SSE2__)
  } else if constexpr (kWidth<T> == 4) {
    return (T)_mm_sqrt_ps((__m128)a);
#endif
  } else if constexpr (kWidth<T> > 4) {
    return detail::by_halves(a, [](auto half) { return sqrt(half); });
  } else {
    for (int i = 0; i < kWidth<T>; i++) a[i] = __builtin_sqrtf(a[i]);
    return a;
  }
}

// Nearest integer, ties to even.
template <class T>
MINICOSM_FN T rint(T a) {
  if constexpr (kWidth<T> == 1) {
#ifdef __CUDACC__
    return rintf(a);
#else
    return __builtin_rintf(a);
#endif
#if !defined(__CUDACC__) && defined(__AVX512F__)
  } else if constexpr (kWidth<T> == 16) {
    return (T)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#endif
#if !defined(__CUDACC__) && defined(__AVX__)
  } else if constexpr (kWidth<T> == 8) {
    return (T)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  } else if constexpr (kWidth<T> == 4) {
    return (T)_mm_round_ps((__m128)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#endif
  } else {
    // Adding 2^23 leaves no bit for a fraction. The sign is put back for what rounds to zero.
    typedef I<kWidth<T>> Int;
    const Int sign = (Int)a & INT32_MIN;
    const T magnitude = abs(a);
    const T rounded = (T)((Int)((magnitude + 8388608.0f) - 8388608.0f) | sign);
    return magnitude < 8388608.0f ? rounded : a;
  }
}

// Largest integer not above.
template <class T>
MINICOSM_FN T floor(T a) {
  if constexpr (kWidth<T> == 1) {
#ifdef __CUDACC__
    return floorf(a);
#else
    return __builtin_floorf(a);
#endif
#if !defined(__CUDACC__) && defined(__AVX512F__)
  } else if constexpr (kWidth<T> == 16) {
    return (T)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#endif
#if !defined(__CUDACC__) && defined(__AVX__)
  } else if constexpr (kWidth<T> == 8) {
    return (T)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  } else if constexpr (kWidth<T> == 4) {
    return (T)_mm_round_ps((__m128)a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#endif
  } else {
    const T nearest = rint(a);
    return nearest > a ? nearest - 1.0f : nearest;
  }
}

// The integer part, towards zero; |a| < 2^31.
template <class T>
MINICOSM_FN I<kWidth<T>> to_int(T a) {
#ifdef __CUDACC__
  return (int32_t)a;
#else
  if constexpr (kWidth<T> == 1) {
    return (int32_t)a;
  } else {
    return __builtin_convertvector(a, I<kWidth<T>>);
  }
#endif
}

template <class Int>
MINICOSM_FN V<kWidth<Int>> to_float(Int a) {
#ifdef __CUDACC__
  return (float)a;
#else
  if constexpr (kWidth<Int> == 1) {
    return (float)a;
  } else {
    return __builtin_convertvector(a, V<kWidth<Int>>);
  }
#endif
}

// ------------------------------------------------------------------------------------------------ rows of many worlds

#ifndef __CUDACC__
namespace detail {

template <int... Is>
struct Indices {};

template <int N, int... Is>
struct MakeIndices : MakeIndices<N - 1, N - 1, Is...> {};

template <int... Is>
struct MakeIndices<0, Is...> {
  typedef Indices<Is...> Type;
};

// Interleaves the lower (`Offset` 0) or upper (`Offset` W / 2) halves: a0 b0 a1 b1 …
template <int Offset, class T, int... Is>
MINICOSM_FN T interleave(T a, T b, Indices<Is...>) {
  constexpr int W = kWidth<T>;
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, (Is / 2 + Is % 2 * W + Offset)...);
#else
  return __builtin_shuffle(a, b, I<W>{(Is / 2 + Is % 2 * W + Offset)...});
#endif
}

}  // namespace detail
#endif

// Transposes a square in registers: lane j of v[i] becomes lane i of v[j]. log2(W) perfect shuffles of all W rows.
template <int W>
MINICOSM_FN void transpose([[maybe_unused]] V<W> (&v)[W]) {
#ifndef __CUDACC__
  if constexpr (W > 1) {
    typename detail::MakeIndices<W>::Type lanes;
    for (int stage = 1; stage < W; stage *= 2) {
      V<W> shuffled[W];
      for (int i = 0; i < W / 2; i++) {
        shuffled[2 * i] = detail::interleave<0>(v[i], v[i + W / 2], lanes);
        shuffled[2 * i + 1] = detail::interleave<W / 2>(v[i], v[i + W / 2], lanes);
      }
      for (int i = 0; i < W; i++) v[i] = shuffled[i];
    }
  }
#endif
}

// fields[k], lane w = rows[w * stride + k]: N consecutive fields of W worlds, whose rows lie `stride` floats apart.
// By squares in registers, and one by one what is left over.
template <int W, int N>
MINICOSM_FN void load_rows(const float* rows, [[maybe_unused]] int64_t stride, V<W> (&fields)[N]) {
  if constexpr (W == 1) {
    for (int k = 0; k < N; k++) fields[k] = rows[k];
  } else {
    constexpr int kSquares = N / W * W;
    for (int k = 0; k < kSquares; k += W) {
      V<W> square[W];
      for (int w = 0; w < W; w++) square[w] = load<W>(rows + w * stride + k);
      transpose<W>(square);
      for (int i = 0; i < W; i++) fields[k + i] = square[i];
    }
    for (int k = kSquares; k < N; k++) {
      for (int w = 0; w < W; w++) fields[k][w] = rows[w * stride + k];
    }
  }
}

// rows[w * stride + k] = fields[k], lane w: the way back of load_rows.
template <int W, int N>
MINICOSM_FN void store_rows(float* rows, [[maybe_unused]] int64_t stride, const V<W> (&fields)[N]) {
  if constexpr (W == 1) {
    for (int k = 0; k < N; k++) rows[k] = fields[k];
  } else {
    constexpr int kSquares = N / W * W;
    for (int k = 0; k < kSquares; k += W) {
      V<W> square[W];
      for (int i = 0; i < W; i++) square[i] = fields[k + i];
      transpose<W>(square);
      for (int w = 0; w < W; w++) store(rows + w * stride + k, square[w]);
    }
    for (int k = kSquares; k < N; k++) {
      for (int w = 0; w < W; w++) rows[w * stride + k] = fields[k][w];
    }
  }
}

// Sets `count` rows of eight floats to zero; on a GPU they are aligned to 16 bytes.
MINICOSM_FN void clear_eights(float* rows, int64_t count) {
#ifdef __CUDACC__
  struct alignas(16) Four {
    float values[4];
  };
  for (int64_t i = 0; i < 2 * count; i++) ((Four*)rows)[i] = Four{};
#else
  for (int64_t i = 0; i < 8 * count; i++) rows[i] = 0.0f;
#endif
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_SIMD_H_
