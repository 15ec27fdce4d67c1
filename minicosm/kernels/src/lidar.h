// Lidar of circular robots on a grid map: the range of every beam, W beams of one robot at a time.
//
// The same geometry as minicosm/envs/nav/lidar.py, which explains it and is what these results are checked against:
// a beam can only enter a closed cell where it crosses a grid line, and whether the cell behind the k-th line is
// closed is one bit of one word. Two things are done here that an array program cannot do: a beam stops at the first
// line that lies beyond what it has already hit, and another robot's disc costs a square root only for those W beams
// of which one meets it. Neither changes a result.
//
// Lengths are in cells. Axes: B worlds, A robots, R beams, K other observations, N margin of the map.

#ifndef MINICOSM_KERNELS_LIDAR_H_
#define MINICOSM_KERNELS_LIDAR_H_

#include "simd.h"

namespace minicosm {

// What one call is given; the same for every instruction set.
struct LidarScan {
  const uint32_t* columns;  // [B, num_columns, column_words]  the map by columns, with N cells of wall on every side
  const uint32_t* rows;     // [B, num_rows, row_words]        the map by rows
  const float* position;    // [B, A, 2]
  const float* direction;   // [B, A, 2]  cosine and sine of the heading
  const bool* present;      // [B, A]  seen by other robots
  const float* beam_cos;    // [R]  cosine and sine of the beam's angle to the heading
  const float* beam_sin;    // [R]
  const float* tail;        // [B, A, K]  what follows the ranges in each robot's row
  float* rows_out;          // [B, A, R + K]  gain x range + offset, then the tail
  float* shortest;          // [B, A]     the least of the ranges
  int64_t num_columns, column_words, num_rows, row_words;
  int64_t num_robots, num_beams, num_tail;
  int32_t margin;   // N, at least max_range
  float max_range;  // a beam that meets nothing reads this
  float radius;     // of a robot
  float gain, offset;
};

constexpr int32_t kLidarMaxMargin = 128;

inline namespace MINICOSM_ISA {

// One family of grid lines around a robot: 2 N + 1 lines of `words` words; bit j of a line is the cell j - N along it.
struct LidarLines {
  uint32_t* bits;
  int32_t margin;
  int32_t words;
};

// floor(x) as an index, for any x.
MINICOSM_FN int64_t lidar_cell(float x) {
  const float bounded = max(min(floor(x), 1e6f), -1e6f);  // a NaN becomes 1e6
  return (int64_t)bounded;
}

MINICOSM_FN int64_t lidar_clip(int64_t i, int64_t last) { return i < 0 ? 0 : i > last ? last : i; }

// Copies the lines `line` - N … `line` + N of a map [count, stored], shifted so that their bit 0 is `bit` - N.
MINICOSM_FN void lidar_window(const uint32_t* map, int64_t count, int64_t stored, int64_t line, int64_t bit,
                              const LidarLines& lines) {
  const int32_t num_lines = 2 * lines.margin + 1;
  map += lidar_clip(line, count - num_lines) * stored;  // the margin of the map and that of the window cancel
  if (stored == 1) {
    const int shift = (int)lidar_clip(bit, 31);
    for (int32_t j = 0; j < num_lines; j++) lines.bits[j] = map[j] >> shift;
    return;
  }
  bit = lidar_clip(bit, 32 * stored - 1);
  const int64_t first = bit / 32;
  const int shift = (int)(bit % 32);
  for (int32_t j = 0; j < num_lines; j++, map += stored) {
    for (int32_t k = 0; k < lines.words; k++) {
      const uint64_t low = first + k < stored ? map[first + k] : 0xffffffffu;
      const uint64_t high = first + k + 1 < stored ? map[first + k + 1] : 0xffffffffu;
      lines.bits[j * lines.words + k] = (uint32_t)((high << 32 | low) >> shift);
    }
  }
}

// Beams of one robot and what they cross along one axis: the lines normal to it.
template <int W>
struct LidarAxis {
  V<W> first;    // cells from the robot to the first line, along the axis
  V<W> inverse;  // cells along the beam for a cell along the axis
  V<W> slope;    // of the beam along the other axis
  M<W> ahead;    // the beam goes up this axis
  float start;   // of the beam along the other axis, from the window's edge; less the rounding error of a crossing
};

template <int W>
MINICOSM_FN LidarAxis<W> lidar_axis(float offset, V<W> slope, float start, V<W> other_slope) {
  const M<W> ahead = slope > 0.0f;
  const V<W> first = select(ahead, splat<W>(1.0f - offset), splat<W>(offset));
  return {first, 1.0f / max(abs(slope), splat<W>(1e-9f)), other_slope, ahead, start};
}

// Where the beams cross the `step`-th line; no farther than max_range, which counts as not reaching it.
template <int W>
MINICOSM_FN V<W> lidar_distance(const LidarAxis<W>& axis, int32_t step, float max_range) {
  return min((axis.first + (float)(step - 1)) * axis.inverse, splat<W>(max_range));
}

// The word of each lane's line that holds bit `index`: `step` lines ahead of the robot's or behind.
template <bool kOneWord, int W>
MINICOSM_FN U<W> lidar_word(const LidarLines& lines, int32_t step, M<W> ahead, I<W> index) {
  const uint32_t* up = lines.bits + (lines.margin + step) * lines.words;
  const uint32_t* down = lines.bits + (lines.margin - step) * lines.words;
  if constexpr (kOneWord) return select(ahead, splat_unsigned<W>(*up), splat_unsigned<W>(*down));
  U<W> word{};
  for (int lane = 0; lane < W; lane++) {
    const int32_t k = get(index, lane) >> 5;
    set(word, lane, (get(ahead, lane) ? up : down)[k > 0 && k < lines.words ? k : 0]);
  }
  return word;
}

// Shortens `nearest` to `distance` where the cell entered there, at the `step`-th line, is closed. A beam that crosses
// within `edge` of a lattice point, which is all that float32 can tell, enters both cells there.
template <bool kOneWord, int W>
MINICOSM_FN V<W> lidar_cross(const LidarLines& lines, const LidarAxis<W>& axis, int32_t step, V<W> distance, float edge,
                             V<W> nearest) {
  const V<W> crossing = axis.start + distance * axis.slope;
  const I<W> index = to_int(crossing);  // towards zero is down, since a crossing is counted from the window's edge
  const M<W> two = crossing - to_float(index) >= 1.0f - 2.0f * edge;
  U<W> closed = lidar_word<kOneWord, W>(lines, step, axis.ahead, index) >> (U<W>)(index & 31);
  if constexpr (kOneWord) {
    closed = closed & select(two, splat_unsigned<W>(3), splat_unsigned<W>(1));
  } else {
    const U<W> next = lidar_word<kOneWord, W>(lines, step, axis.ahead, index + 1) >> (U<W>)((index + 1) & 31);
    closed = (closed | select(two, next, splat_unsigned<W>(0))) & 1;
  }
  return select((closed != 0) & (distance < nearest), distance, nearest);
}

// Shortens `nearest`, cells along W beams with directions `cos` and `sin` from (x, y) in the robot's cell, by walls.
template <bool kOneWord, int W>
MINICOSM_FN V<W> lidar_walls(const LidarScan& scan, const LidarLines (&lines)[2], float x, float y, V<W> cos, V<W> sin,
                             V<W> nearest) {
  const float edge = 4e-7f * scan.max_range;  // what float32 may err by where a beam crosses a line
  const float base = (float)scan.margin - edge;
  const LidarAxis<W> by_columns = lidar_axis<W>(x, cos, y + base, sin), by_rows = lidar_axis<W>(y, sin, x + base, cos);
  for (int32_t step = 1; (float)(step - 1) < scan.max_range; step++) {
    const V<W> column = lidar_distance<W>(by_columns, step, scan.max_range);
    const V<W> row = lidar_distance<W>(by_rows, step, scan.max_range);
    if (!any_of(min(column, row) < nearest)) break;  // no beam gets this far
    nearest = lidar_cross<kOneWord, W>(lines[0], by_columns, step, column, edge, nearest);
    nearest = lidar_cross<kOneWord, W>(lines[1], by_rows, step, row, edge, nearest);
  }
  return nearest;
}

// Shortens `nearest` by a disc whose centre lies at (x, y) from the robot, in the axes of the beams.
template <int W>
MINICOSM_FN void lidar_disc(float x, float y, float radius, V<W> cos, V<W> sin, float* nearest) {
  const V<W> along = x * cos + y * sin, aside = x * sin - y * cos;
  const M<W> met = (abs(aside) <= radius) & (along >= -radius);
  if (!any_of(met)) return;
  const V<W> zero = splat<W>(0.0f), before = load<W>(nearest);
  const V<W> half_chord = sqrt(max((radius - aside) * (radius + aside), zero));
  const V<W> entry = max(along - half_chord, zero);
  store(nearest, select(met & (along + half_chord >= 0.0f) & (entry < before), entry, before));
}

// Calls body(lanes, first) for vectors that cover the beams 0 … `count` - 1, `lanes` of type I<width>. What is left of a
// last vector is covered by moving it back, so that some beams come twice; fewer than W beams come one by one.
template <int W, class Body>
MINICOSM_FN void lidar_cover(int64_t count, const Body& body) {
  if (count < W) {
    for (int64_t beam = 0; beam < count; beam++) body(I<1>{}, beam);
    return;
  }
  for (int64_t beam = 0; beam + W <= count; beam += W) body(I<W>{}, beam);
  if (count % W) body(I<W>{}, count - W);
}

// Writes the range, in cells, at which each beam of robot `a` meets another robot, or max_range, to `nearest`.
template <int W>
MINICOSM_FN void lidar_robots(const LidarScan& scan, int64_t world, int64_t a, float* nearest) {
  for (int64_t beam = 0; beam < scan.num_beams; beam++) nearest[beam] = scan.max_range;
  const float* positions = scan.position + 2 * world * scan.num_robots;
  const float* heading = scan.direction + 2 * (world * scan.num_robots + a);
  const float reach = 1.001f * (scan.max_range + scan.radius);
  for (int64_t other = 0; other < scan.num_robots; other++) {
    if (other == a || !scan.present[world * scan.num_robots + other]) continue;
    const float dx = positions[2 * other] - positions[2 * a], dy = positions[2 * other + 1] - positions[2 * a + 1];
    if (!(dx * dx + dy * dy < reach * reach)) continue;
    const float x = heading[0] * dx + heading[1] * dy, y = heading[0] * dy - heading[1] * dx;  // ahead, to the left
    lidar_cover<W>(scan.num_beams, [&](auto lanes, int64_t beam) {
      constexpr int kLanes = kWidth<decltype(lanes)>;
      lidar_disc<kLanes>(x, y, scan.radius, load<kLanes>(scan.beam_cos + beam), load<kLanes>(scan.beam_sin + beam),
                         nearest + beam);
    });
  }
}

// Every beam of robot `a` of `world`. `words` holds at least 2 (2 N + 1) ceil((2 N + 1) / 32) words.
template <bool kOneWord, int W>
MINICOSM_FN void lidar_robot(const LidarScan& scan, int64_t world, int64_t a, uint32_t* words) {
  const int64_t robot = world * scan.num_robots + a;
  const int32_t num_lines = 2 * scan.margin + 1, line_words = (num_lines + 31) / 32;
  const LidarLines lines[2] = {{words, scan.margin, line_words},
                               {words + num_lines * line_words, scan.margin, line_words}};
  const float px = scan.position[2 * robot], py = scan.position[2 * robot + 1];
  const int64_t column = lidar_cell(px), row = lidar_cell(py);
  lidar_window(scan.columns + world * scan.num_columns * scan.column_words, scan.num_columns, scan.column_words, column,
               row, lines[0]);
  lidar_window(scan.rows + world * scan.num_rows * scan.row_words, scan.num_rows, scan.row_words, row, column,
               lines[1]);
  float* ranges = scan.rows_out + robot * (scan.num_beams + scan.num_tail);
  lidar_robots<W>(scan, world, a, ranges);
  const float x = px - floor(px), y = py - floor(py);
  const float cos = scan.direction[2 * robot], sin = scan.direction[2 * robot + 1];
  V<W> shortest = splat<W>(scan.max_range);
  float shortest_one = scan.max_range;
  lidar_cover<W>(scan.num_beams, [&](auto lanes, int64_t beam) {
    constexpr int kLanes = kWidth<decltype(lanes)>;
    const V<kLanes> beam_cos = load<kLanes>(scan.beam_cos + beam), beam_sin = load<kLanes>(scan.beam_sin + beam);
    const V<kLanes> world_cos = cos * beam_cos - sin * beam_sin, world_sin = sin * beam_cos + cos * beam_sin;
    const V<kLanes> nearest = lidar_walls<kOneWord, kLanes>(scan, lines, x, y, world_cos, world_sin,
                                                            load<kLanes>(ranges + beam));
    store(ranges + beam, nearest);
    if constexpr (kLanes == W) shortest = min(nearest, shortest);
    if constexpr (kLanes == 1) shortest_one = min(nearest, shortest_one);
  });
  for (int lane = 0; lane < W; lane++) shortest_one = min(get(shortest, lane), shortest_one);
  scan.shortest[robot] = shortest_one;
  for (int64_t beam = 0; beam < scan.num_beams; beam++) ranges[beam] = ranges[beam] * scan.gain + scan.offset;
  for (int64_t k = 0; k < scan.num_tail; k++) ranges[scan.num_beams + k] = scan.tail[robot * scan.num_tail + k];
}

// Worlds `first` … `last` - 1.
template <int W>
MINICOSM_FN void lidar_worlds(const LidarScan& scan, int64_t first, int64_t last) {
  constexpr int kLines = 2 * kLidarMaxMargin + 1;
  uint32_t words[2 * kLines * ((kLines + 31) / 32)];
  const bool one_word = 2 * scan.margin + 1 <= 31;
  for (int64_t world = first; world < last; world++) {
    for (int64_t a = 0; a < scan.num_robots; a++) {
      if (one_word) {
        lidar_robot<true, W>(scan, world, a, words);
      } else {
        lidar_robot<false, W>(scan, world, a, words);
      }
    }
  }
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_LIDAR_H_
