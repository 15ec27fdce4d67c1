// Random scans, sane and not, at three widths: no access out of bounds, no undefined step, and the same bits.

#include <math.h>
#include <string.h>

#include <vector>

#include "fuzz_random.h"
#include "lidar.h"

namespace minicosm {

struct Case {
  LidarScan scan{};
  std::vector<uint32_t> columns, rows;
  std::vector<float> position, direction, beam_cos, beam_sin, tail;
  bool* present;  // std::vector<bool> has no array
  int worlds;
};

std::vector<uint32_t> pack(int lines, int bits, int words, Random& random, int margin) {
  std::vector<uint32_t> map((size_t)lines * words);
  for (int line = 0; line < lines; line++) {
    for (int bit = 0; bit < bits; bit++) {
      const bool edge = line <= margin || bit <= margin || line >= lines - 1 - margin || bit >= bits - 1 - margin;
      if (edge || random.below(5) == 0) map[line * words + bit / 32] |= 1u << bit % 32;
    }
  }
  return map;
}

float coordinate(Random& random, int cells) {
  const float odd[] = {NAN, INFINITY, -1e30f, -3.0f, 1e9f, 4.0f, 4.5f};
  return random.below(20) ? random.uniform(1.0f, (float)cells - 1.0f) : odd[random.below(7)];
}

Case make(Random& random) {
  Case c;
  const int margin = random.below(3) ? 1 + random.below(15) : 1 + random.below(128);
  const int width = 5 + random.below(40), height = 5 + random.below(40);
  const int robots = 1 + random.below(5), beams = 1 + random.below(70), tail = random.below(8);
  c.worlds = 1 + random.below(3);
  LidarScan& s = c.scan;
  s.num_columns = width + 2 * margin;
  s.num_rows = height + 2 * margin;
  s.column_words = (s.num_rows + 31) / 32;
  s.row_words = (s.num_columns + 31) / 32;
  for (int w = 0; w < c.worlds; w++) {
    const auto columns = pack((int)s.num_columns, (int)s.num_rows, (int)s.column_words, random, margin);
    const auto rows = pack((int)s.num_rows, (int)s.num_columns, (int)s.row_words, random, margin);
    c.columns.insert(c.columns.end(), columns.begin(), columns.end());
    c.rows.insert(c.rows.end(), rows.begin(), rows.end());
  }
  c.present = new bool[c.worlds * robots];
  for (int i = 0; i < c.worlds * robots; i++) {
    const float heading = random.below(10) ? random.uniform(-4.0f, 4.0f) : 0.78539816f * (float)random.below(8);
    c.position.insert(c.position.end(), {coordinate(random, width), coordinate(random, height)});
    c.direction.insert(c.direction.end(), {cosf(heading), sinf(heading)});
    c.present[i] = random.below(4) > 0;
    for (int k = 0; k < tail; k++) c.tail.push_back(random.uniform(-1.0f, 1.0f));
  }
  for (int i = 0; i < beams; i++) {
    c.beam_cos.push_back((float)cos(i * 2 * M_PI / beams));
    c.beam_sin.push_back((float)sin(i * 2 * M_PI / beams));
  }
  s.columns = c.columns.data();
  s.rows = c.rows.data();
  s.position = c.position.data();
  s.direction = c.direction.data();
  s.present = c.present;
  s.beam_cos = c.beam_cos.data();
  s.beam_sin = c.beam_sin.data();
  s.tail = c.tail.data();
  s.num_robots = robots;
  s.num_beams = beams;
  s.num_tail = tail;
  s.margin = margin;
  s.max_range = random.below(2) ? (float)margin : random.uniform(0.5f, (float)margin);
  s.radius = random.uniform(0.05f, 2.0f);
  s.gain = random.uniform(0.1f, 2.0f);
  s.offset = random.below(2) ? 0.0f : -0.5f;
  return c;
}

template <int W>
std::vector<float> run(const Case& c) {
  const size_t robots = (size_t)c.worlds * c.scan.num_robots;
  std::vector<float> out(robots * (c.scan.num_beams + c.scan.num_tail)), shortest(robots);
  LidarScan scan = c.scan;
  scan.rows_out = out.data();
  scan.shortest = shortest.data();
  lidar_worlds<W>(scan, 0, c.worlds);
  out.insert(out.end(), shortest.begin(), shortest.end());
  return out;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && !memcmp(a.data(), b.data(), a.size() * sizeof(float));
}

}  // namespace minicosm

int main() {
  using namespace minicosm;
  Random random{2};
  for (int i = 0; i < 1500; i++) {
    const Case c = make(random);
    const std::vector<float> one = run<1>(c);
    CHECK(same(one, run<4>(c)));
    CHECK(same(one, run<16>(c)));
    for (float value : one) CHECK(!isnan(value));
    delete[] c.present;
  }
  return 0;
}
