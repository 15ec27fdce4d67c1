// Lidar of circular robots on a grid map: the range of every beam, W beams of one robot at a time.
//
// The same geometry as minicosm/envs/nav/lidar.py, which explains it and is what these results are checked against:
// a beam can only enter a closed cell where it crosses a grid line, and whether the cell behind the k-th line is
// closed is one bit of one word. Two things are done here that an array program cannot do: a beam stops at the first
// line that lies beyond what it has already hit, and another robot's disc costs a square root only for those W beams
// of which one meets it. Neither changes a result.
//
// Lengths are in cells. Axes: B worlds, A robots, R beams, N margin of the map.

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
  float* ranges;            // [B, A, R]  in the unit of `scale`
  float* shortest;          // [B, A]     the least of them
  int64_t num_columns, column_words, num_rows, row_words;
  int64_t num_robots, num_beams;
  int32_t margin;   // N, at least max_range
  float max_range;  // a beam that meets nothing reads this
  float radius;     // of a robot
  float scale;      // length of a cell in the unit wanted
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

// Beams of one robot and, along one axis, what they cross: see lidar_cross.
template <int W>
struct LidarAxis {
  V<W> first;    // cells from the robot to the first line, along the axis
  V<W> inverse;  // cells along the beam for a cell along the axis
  V<W> slope;    // of the beam along the other axis
  M<W> ahead;    // the beam goes up this axis
  float offset;  // of the robot in its cell, along the other axis
};

template <int W>
MINICOSM_FN LidarAxis<W> lidar_axis(float offset, V<W> slope, float other_offset, V<W> other_slope) {
  const M<W> ahead = slope > 0.0f;
  const V<W> first = select(ahead, splat<W>(1.0f - offset), splat<W>(offset));
  return {first, 1.0f / max(abs(slope), splat<W>(1e-9f)), other_slope, ahead, other_offset};
}

// Lowest bit per lane: bit `index` of the line ahead or behind, `step` lines from the robot's.
template <int W>
MINICOSM_FN U<W> lidar_bit(const LidarLines& lines, int32_t step, M<W> ahead, I<W> index) {
  const uint32_t* up = lines.bits + (lines.margin + step) * lines.words;
  const uint32_t* down = lines.bits + (lines.margin - step) * lines.words;
  const U<W> place = (U<W>)(index & 31);
  if (lines.words == 1) return select(ahead, splat_unsigned<W>(*up), splat_unsigned<W>(*down)) >> place;
  U<W> word{};
  const I<W> which = index >> 5;
  for (int lane = 0; lane < W; lane++) {
    const uint32_t* line = get(ahead, lane) ? up : down;
    const int32_t k = get(which, lane);
    set(word, lane, line[k > 0 && k < lines.words ? k : 0]);
  }
  return word >> place;
}

// Shortens `nearest` by the cells entered at the `step`-th line; false when no beam gets there.
template <int W>
MINICOSM_FN bool lidar_cross(const LidarLines& lines, int32_t step, const LidarAxis<W>& axis, float edge,
                             V<W>& nearest) {
  const V<W> distance = (axis.first + (float)(step - 1)) * axis.inverse;
  const M<W> reached = distance < nearest;
  if (!any_of(reached)) return false;
  // A beam that crosses within rounding of a lattice point enters both cells there. Lanes that do not get this far
  // may hold anything; the bounds keep their conversion to integers defined.
  const V<W> bound = splat<W>((float)(lines.margin + 2));
  const V<W> crossing = max(min(axis.offset + distance * axis.slope, bound), -bound);
  const I<W> low = to_int(floor(crossing - edge)) + lines.margin;
  const I<W> high = to_int(floor(crossing + edge)) + lines.margin;
  const U<W> closed = lidar_bit<W>(lines, step, axis.ahead, low) | lidar_bit<W>(lines, step, axis.ahead, high);
  nearest = select(reached & ((closed & 1) != 0), distance, nearest);
  return true;
}

// Shortens `nearest` by a disc whose centre lies at (x, y) from the robot.
template <int W>
MINICOSM_FN void lidar_disc(float x, float y, float radius, V<W> cos, V<W> sin, V<W>& nearest) {
  const V<W> along = x * cos + y * sin, aside = x * sin - y * cos;
  const M<W> met = (abs(aside) <= radius) & (along >= -radius);
  if (!any_of(met)) return;
  const V<W> zero = splat<W>(0.0f);
  const V<W> half_chord = sqrt(max((radius - aside) * (radius + aside), zero));
  const V<W> entry = max(along - half_chord, zero);
  nearest = select(met & (along + half_chord >= 0.0f) & (entry < nearest), entry, nearest);
}

// Ranges, in cells, of W beams of robot `a`, with directions `cos` and `sin`.
template <int W>
MINICOSM_FN V<W> lidar_beams(const LidarScan& scan, int64_t world, int64_t a, const LidarLines (&lines)[2], V<W> cos,
                             V<W> sin) {
  const float* positions = scan.position + world * scan.num_robots * 2;
  const bool* present = scan.present + world * scan.num_robots;
  const float px = positions[2 * a], py = positions[2 * a + 1];
  V<W> nearest = splat<W>(scan.max_range);
  for (int64_t other = 0; other < scan.num_robots; other++) {
    if (other == a || !present[other]) continue;
    lidar_disc<W>(positions[2 * other] - px, positions[2 * other + 1] - py, scan.radius, cos, sin, nearest);
  }
  const float x = px - floor(px), y = py - floor(py);
  const LidarAxis<W> across_columns = lidar_axis<W>(x, cos, y, sin), across_rows = lidar_axis<W>(y, sin, x, cos);
  const float edge = 4e-7f * scan.max_range;  // what float32 may err by where a beam crosses a line
  bool in_columns = true, in_rows = true;
  for (int32_t step = 1; (in_columns || in_rows) && (float)(step - 1) < scan.max_range; step++) {
    in_columns = in_columns && lidar_cross<W>(lines[0], step, across_columns, edge, nearest);
    in_rows = in_rows && lidar_cross<W>(lines[1], step, across_rows, edge, nearest);
  }
  return nearest;
}

// Beams `first` … `first` + W - 1 of robot `a`; returns the shortest so far per lane.
template <int W>
MINICOSM_FN V<W> lidar_store_beams(const LidarScan& scan, int64_t world, int64_t a, const LidarLines (&lines)[2],
                                   int64_t first, V<W> shortest) {
  const int64_t robot = world * scan.num_robots + a;
  const float cos = scan.direction[2 * robot], sin = scan.direction[2 * robot + 1];
  const V<W> beam_cos = load<W>(scan.beam_cos + first), beam_sin = load<W>(scan.beam_sin + first);
  const V<W> world_cos = cos * beam_cos - sin * beam_sin, world_sin = sin * beam_cos + cos * beam_sin;
  const V<W> ranges = lidar_beams<W>(scan, world, a, lines, world_cos, world_sin) * scan.scale;
  store(scan.ranges + robot * scan.num_beams + first, ranges);
  return min(ranges, shortest);
}

// Every beam of robot `a` of `world`. `words` holds at least 2 (2 N + 1) ceil((2 N + 1) / 32) words.
template <int W>
MINICOSM_FN void lidar_robot(const LidarScan& scan, int64_t world, int64_t a, uint32_t* words) {
  const int64_t robot = world * scan.num_robots + a, num_beams = scan.num_beams;
  const int32_t num_lines = 2 * scan.margin + 1, line_words = (num_lines + 31) / 32;
  const LidarLines lines[2] = {{words, scan.margin, line_words},
                               {words + num_lines * line_words, scan.margin, line_words}};
  const int64_t column = lidar_cell(scan.position[2 * robot]), row = lidar_cell(scan.position[2 * robot + 1]);
  lidar_window(scan.columns + world * scan.num_columns * scan.column_words, scan.num_columns, scan.column_words, column,
               row, lines[0]);
  lidar_window(scan.rows + world * scan.num_rows * scan.row_words, scan.num_rows, scan.row_words, row, column,
               lines[1]);
  float least = scan.max_range * scan.scale;
  int64_t beam = 0;
  if (num_beams >= W) {
    V<W> shortest = splat<W>(least);
    for (; beam + W <= num_beams; beam += W) shortest = lidar_store_beams<W>(scan, world, a, lines, beam, shortest);
    if (beam < num_beams) {  // the last W once more: cheaper than the rest one by one, and the same numbers
      shortest = lidar_store_beams<W>(scan, world, a, lines, num_beams - W, shortest);
      beam = num_beams;
    }
    for (int lane = 0; lane < W; lane++) least = min(get(shortest, lane), least);
  }
  for (; beam < num_beams; beam++) least = lidar_store_beams<1>(scan, world, a, lines, beam, least);
  scan.shortest[robot] = least;
}

// Worlds `first` … `last` - 1.
template <int W>
MINICOSM_FN void lidar_worlds(const LidarScan& scan, int64_t first, int64_t last) {
  constexpr int kLines = 2 * kLidarMaxMargin + 1;
  uint32_t words[2 * kLines * ((kLines + 31) / 32)];
  for (int64_t world = first; world < last; world++) {
    for (int64_t a = 0; a < scan.num_robots; a++) lidar_robot<W>(scan, world, a, words);
  }
}

}  // namespace MINICOSM_ISA
}  // namespace minicosm

#endif  // MINICOSM_KERNELS_LIDAR_H_
