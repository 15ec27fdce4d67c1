// Flat pictures: convex polygons and discs, each with an outline, laid over one another in order, anti-aliased.
//
// The reference is `_laid` of minicosm/envs/physics/flat.py, whose arithmetic per pixel this is. What is saved: a row
// of pixels is worked on only where a figure covers it, and where one covers it wholly its colour is stored.

#ifndef MINICOSM_KERNELS_PICTURE_H_
#define MINICOSM_KERNELS_PICTURE_H_

#include <stdint.h>

#include "simd.h"

namespace minicosm {

// Lengths are in pixels, x to the right and y up, from the middle of the picture.
struct PictureBatch {
  const float* figures;    // [worlds, num_figures, 9 + 3 num_edges]: see kFigureHead
  const int32_t* is_disc;  // [num_figures]
  int64_t num_figures;
  int32_t num_edges, height, width;
  float ground[3];  // 0 to 255
  uint8_t* out;     // [worlds, height, width, 3], the row at the top first
};

constexpr int32_t kPictureMaxWidth = 1024, kPictureMaxFigures = 1024;

// Floats of a figure before its edges: lowest and highest y, width of the outline, colours of the inside and of the
// outline. Then a, b, c of each edge, with a x + b y + c the distance inside of it; of a disc x, y, radius.
constexpr int32_t kFigureHead = 9;

inline namespace MINICOSM_ISA {

constexpr int32_t kPictureLongest = 16;    // lanes of the widest vector
constexpr float kPictureSlack = 0.01f;     // pixels, far more than what rounding does to a distance
constexpr float kPictureEverywhere = 1e7f;  // pixels

// Columns of a row that a figure changes, [first, last), of which [solid_first, solid_last) are of its colour alone.
struct PictureSpan {
  int32_t figure, first, last, solid_first, solid_last;
};

// What is between `low` and `high`, pixels from the middle, as columns: with all that it touches, or only what is inside.
MINICOSM_FN int32_t picture_column(float x, int32_t width, bool up) {
  const float column = x + 0.5f * (float)width - 0.5f;  // of the pixel whose middle is at x
  const float whole = up ? -floor(-column) : floor(column);
  if (!(whole > 0.0f)) return 0;
  return whole < (float)width ? (int32_t)whole : width;
}

// The part of the row at height `y` where the figure is at least `inside` deep, [low, high]; false where there is none.
MINICOSM_FN bool picture_chord(const float* figure, bool is_disc, int32_t num_edges, float y, float inside, float& low,
                               float& high) {
  const float* sides = figure + kFigureHead;
  if (is_disc) {
    const float up = y - sides[1], radius = sides[2];
    const float squared = radius * radius - up * up - 2.0f * radius * inside;
    if (!(squared > 0.0f)) return false;
    const float half = sqrt(squared);
    low = sides[0] - half;
    high = sides[0] + half;
    return low < high;
  }
  low = -kPictureEverywhere;
  high = kPictureEverywhere;
  for (int32_t e = 0; e < num_edges; e++) {
    const float a = sides[3 * e], missing = inside - (sides[3 * e + 1] * y + sides[3 * e + 2]);
    if (a > 0.0f) {
      const float at = missing / a;
      if (at > low) low = at;
    } else if (a < 0.0f) {
      const float at = missing / a;
      if (at < high) high = at;
    } else if (missing > 0.0f) {
      return false;
    }
  }
  return low < high;
}

// Which columns of the row at height `y` a figure changes; false where none.
MINICOSM_FN bool picture_span(const PictureBatch& batch, const float* figures, int32_t index, float y,
                              PictureSpan& span) {
  const float* figure = figures + index * (kFigureHead + 3 * batch.num_edges);
  const float depth = min(y - figure[0], figure[1] - y), rim = max(figure[2], 0.0f);
  const bool is_disc = batch.is_disc[index] != 0;
  float low, high;
  if (!(depth > -0.5f) || !picture_chord(figure, is_disc, batch.num_edges, y, -0.5f - kPictureSlack, low, high)) {
    return false;
  }
  span.figure = index;
  span.first = picture_column(low, batch.width, false);
  const int32_t end = picture_column(high, batch.width, true) + 1;
  span.last = end < batch.width ? end : batch.width;
  if (span.first >= span.last) return false;
  span.solid_first = span.solid_last = span.last;
  const float solid = rim + 0.5f + kPictureSlack;
  if (depth >= solid && picture_chord(figure, is_disc, batch.num_edges, y, solid, low, high)) {
    const int32_t from = picture_column(low, batch.width, true) + 1, to = picture_column(high, batch.width, false);
    // blending goes on for up to a vector beyond where it should, which must not lead across the solid part
    if (to - from >= kPictureLongest) {
      span.solid_first = low < -0.5f * (float)batch.width - 1.0f ? 0 : from;
      span.solid_last = to;
    }
  }
  return true;
}

// A colour of a figure; what is beyond white or black, or no number, would spoil pixels that the figure does not cover.
MINICOSM_FN float picture_colour(float colour) { return min(max(colour, 0.0f), 255.0f); }

// Lays a figure over columns [first, last) of the row, and over some beyond, where it covers nothing.
template <int W>
MINICOSM_FN void picture_blend(const PictureBatch& batch, const float* figure, bool is_disc, float y, int32_t first,
                               int32_t last, const float* columns, float* const (&colours)[3]) {
  const float* sides = figure + kFigureHead;
  const float rim = max(figure[2], 0.0f), depth_here = min(y - figure[0], figure[1] - y);
  const float fill[3] = {picture_colour(figure[3]), picture_colour(figure[4]), picture_colour(figure[5])};
  const float edge[3] = {picture_colour(figure[6]), picture_colour(figure[7]), picture_colour(figure[8])};
  float level[16];  // b y + c of each edge
  const float up = y - sides[1], half_inverse = 0.5f / sides[2];
  const float middle = 0.5f * sides[2] - up * up * half_inverse;
  if (!is_disc) {
    for (int32_t e = 0; e < batch.num_edges; e++) level[e] = sides[3 * e + 1] * y + sides[3 * e + 2];
  }
  for (int32_t j = first; j < last; j += W) {
    const V<W> x = load<W>(columns + j);
    V<W> depth = splat<W>(depth_here);
    if (is_disc) {
      const V<W> aside = x - sides[0];
      depth = min(middle - aside * aside * half_inverse, depth);  // the second where the first is no number
    } else {
      for (int32_t e = 0; e < batch.num_edges; e++) depth = min(sides[3 * e] * x + level[e], depth);
    }
    const V<W> zero = splat<W>(0.0f), one = splat<W>(1.0f);
    const V<W> outer = min(max(depth + 0.5f, zero), one), inner = min(max(depth - rim + 0.5f, zero), one);
    for (int c = 0; c < 3; c++) {
      V<W> colour = load<W>(colours[c] + j);
      colour = colour + (edge[c] - colour) * outer;
      store(colours[c] + j, colour + (fill[c] - colour) * inner);
    }
  }
}

template <int W>
MINICOSM_FN void picture_fill(float* colours, int32_t first, int32_t last, float colour) {  // a vector or more
  for (int32_t j = first; j + W < last; j += W) store(colours + j, splat<W>(colour));
  store(colours + last - W, splat<W>(colour));
}

// Bytes of columns [first, last) from their colours; writes nothing beyond.
template <int W>
MINICOSM_FN void picture_bytes(const float* const (&colours)[3], int32_t first, int32_t last, uint8_t* row) {
  const V<W> zero = splat<W>(0.0f), most = splat<W>(255.0f);
  for (int32_t j = first; j < last; j += W) {
    I<W> packed = splat_int<W>(0);
    for (int c = 0; c < 3; c++) {
      packed = packed | (to_int(min(max(load<W>(colours[c] + j), zero), most) + 0.5f) << 8 * c);
    }
    for (int i = 0; i < W && j + i < last; i++) {
      const int32_t pixel = get(packed, i);
      // four bytes at a time, the last of which the next pixel overwrites
      __builtin_memcpy(row + 3 * (j + i), &pixel, j + i + 1 < last ? 4 : 3);
    }
  }
}

// Whether a figure changes any pixel. A wall that ends at the picture's border does not, and would otherwise make each
// row one that has to be worked on to its ends.
MINICOSM_FN bool picture_shows(const PictureBatch& batch, const float* figure, bool is_disc) {
  const float across = 0.5f * (float)batch.width, up = 0.5f * (float)batch.height;
  constexpr float kLeast = 1e-3f;  // covered of a pixel: a quarter of a step of a colour
  if (!(figure[0] < up - kLeast && figure[1] > kLeast - up)) return false;
  if (is_disc) return true;
  for (int32_t e = 0; e < batch.num_edges; e++) {
    const float* side = figure + kFigureHead + 3 * e;
    if (abs(side[0]) * (across - 0.5f) + abs(side[1]) * (up - 0.5f) + side[2] <= kLeast - 0.5f) return false;
  }
  return true;
}

// The picture of one world from its figures.
template <int W>
MINICOSM_FN void picture_world(const PictureBatch& batch, const float* figures, const float* columns,
                               const uint8_t* ground, uint8_t* out) {
  float red[kPictureMaxWidth + 2 * kPictureLongest], green[kPictureMaxWidth + 2 * kPictureLongest],
      blue[kPictureMaxWidth + 2 * kPictureLongest];
  float* const colours[3] = {red, green, blue};
  const float* const made[3] = {red, green, blue};
  PictureSpan spans[kPictureMaxFigures];
  int32_t seen[kPictureMaxFigures], num_seen = 0;
  const int32_t row_floats = kFigureHead + 3 * batch.num_edges, row_bytes = 3 * batch.width;
  const float half_height = 0.5f * (float)batch.height;
  for (int32_t i = 0; i < (int32_t)batch.num_figures; i++) {
    const float* figure = figures + i * row_floats;
    if (picture_shows(batch, figure, batch.is_disc[i] != 0)) seen[num_seen++] = i;
  }
  for (int32_t row = 0; row < batch.height; row++, out += row_bytes) {
    const float y = half_height - 0.5f - (float)row;
    int32_t num_spans = 0, first = batch.width, last = 0;
    for (int32_t s = 0; s < num_seen; s++) {
      PictureSpan& span = spans[num_spans];
      if (!picture_span(batch, figures, seen[s], y, span)) continue;
      num_spans++;
      if (span.first < first) first = span.first;
      if (span.last > last) last = span.last;
    }
    if (num_spans == 0) {
      __builtin_memcpy(out, ground, row_bytes);
      continue;
    }
    for (int c = 0; c < 3; c++) picture_fill<W>(colours[c], first, last + kPictureLongest, batch.ground[c]);
    for (int32_t s = 0; s < num_spans; s++) {
      const PictureSpan& span = spans[s];
      const float* figure = figures + span.figure * row_floats;
      const bool is_disc = batch.is_disc[span.figure] != 0;
      picture_blend<W>(batch, figure, is_disc, y, span.first, span.solid_first, columns, colours);
      picture_blend<W>(batch, figure, is_disc, y, span.solid_last, span.last, columns, colours);
      if (span.solid_first < span.solid_last) {
        for (int c = 0; c < 3; c++) {
          picture_fill<W>(colours[c], span.solid_first, span.solid_last, picture_colour(figure[3 + c]));
        }
      }
    }
    __builtin_memcpy(out, ground, 3 * first);
    picture_bytes<W>(made, first, last, out);
    __builtin_memcpy(out + 3 * last, ground + 3 * last, row_bytes - 3 * last);
  }
}

// Worlds `first` … `last` - 1.
template <int W>
MINICOSM_FN void picture_worlds(const PictureBatch& batch, int64_t first, int64_t last) {
  float columns[kPictureMaxWidth + 2 * kPictureLongest];
  uint8_t ground[3 * kPictureMaxWidth];
  for (int32_t j = 0; j < batch.width + 2 * kPictureLongest; j++) columns[j] = (float)j + 0.5f - 0.5f * (float)batch.width;
  for (int32_t i = 0; i < 3 * batch.width; i++) ground[i] = (uint8_t)(batch.ground[i % 3] + 0.5f);
  const int64_t figures = batch.num_figures * (kFigureHead + 3 * batch.num_edges);
  const int64_t bytes = (int64_t)3 * batch.height * batch.width;
  for (int64_t world = first; world < last; world++) {
    picture_world<W>(batch, batch.figures + world * figures, columns, ground, batch.out + world * bytes);
  }
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_PICTURE_H_
