// Random pictures, sane and not, at three widths: no access out of bounds, no undefined step, and the same bytes; and
// of sane ones, no byte more than one step from what plain arithmetic per pixel gives.

#include <math.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "fuzz_random.h"
#include "picture.h"

namespace minicosm {

struct Case {
  PictureBatch batch{};
  std::vector<float> figures;
  std::vector<int32_t> is_disc;
  int worlds;
};

void polygon(Random& random, const PictureBatch& b, float* figure, float scale) {
  float x[16], y[16];
  const int corners = 3 + random.below(b.num_edges - 2);
  const float cx = random.uniform(-scale, scale), cy = random.uniform(-scale, scale), turn = random.uniform(0.0f, 6.3f);
  const float wide = random.uniform(0.2f, scale), high = random.below(4) ? random.uniform(0.2f, scale) : 0.3f;
  figure[0] = 1e6f;
  figure[1] = -1e6f;
  for (int k = 0; k < b.num_edges; k++) {
    const float angle = 6.2831853f * (float)std::min(k, corners - 1) / (float)corners;
    const float along = wide * cosf(angle), across = high * sinf(angle);
    x[k] = cx + along * cosf(turn) - across * sinf(turn);
    y[k] = cy + along * sinf(turn) + across * cosf(turn);
    figure[0] = std::min(figure[0], y[k]);
    figure[1] = std::max(figure[1], y[k]);
  }
  for (int k = 0; k < b.num_edges; k++) {
    const int next = (k + 1) % b.num_edges;
    const float dx = x[next] - x[k], dy = y[next] - y[k], length = sqrtf(dx * dx + dy * dy);
    float* side = figure + kFigureHead + 3 * k;
    side[0] = length > 1e-5f ? -dy / length : 0.0f;
    side[1] = length > 1e-5f ? dx / length : 0.0f;
    side[2] = length > 1e-5f ? -(side[0] * x[k] + side[1] * y[k]) : 1e6f;
  }
}

void disc(Random& random, float* figure, float scale) {
  float* at = figure + kFigureHead;
  at[0] = random.uniform(-scale, scale);
  at[1] = random.uniform(-scale, scale);
  at[2] = random.uniform(0.3f, scale);
  figure[0] = at[1] - at[2];
  figure[1] = at[1] + at[2];
}

Case make(Random& random, bool sane) {
  Case c;
  PictureBatch& b = c.batch;
  b.num_edges = 3 + random.below(14);
  b.width = 1 + random.below(random.below(20) ? 90 : kPictureMaxWidth);
  b.height = 1 + random.below(60);
  b.num_figures = random.below(12);
  c.worlds = 1 + random.below(3);
  const int floats = kFigureHead + 3 * b.num_edges;
  const float scale = 0.6f * (float)std::max(b.width, b.height);
  for (int i = 0; i < b.num_figures; i++) c.is_disc.push_back(random.below(2));
  c.figures.resize((size_t)(c.worlds * b.num_figures * floats));
  for (int i = 0; i < c.worlds * (int)b.num_figures; i++) {
    float* figure = c.figures.data() + i * floats;
    if (c.is_disc[i % b.num_figures]) {
      disc(random, figure, scale);
    } else {
      polygon(random, b, figure, scale);
    }
    figure[2] = random.below(3) ? random.uniform(0.0f, 3.0f) : 0.0f;
    for (int k = 3; k < 9; k++) figure[k] = random.uniform(0.0f, 255.0f);
    const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0.0f, -0.0f, 1e-30f, 1e6f};
    if (!sane) {
      for (int k = random.below(6); k > 0; k--) figure[random.below(floats)] = odd[random.below(9)];
    }
  }
  for (float& level : b.ground) level = random.uniform(0.0f, 255.0f);
  b.figures = c.figures.data();
  b.is_disc = c.is_disc.data();
  return c;
}

template <int W>
std::vector<uint8_t> run(const Case& c) {
  std::vector<uint8_t> out((size_t)(3 * c.worlds * c.batch.height * c.batch.width));
  PictureBatch batch = c.batch;
  batch.out = out.data();
  picture_worlds<W>(batch, 0, c.worlds);
  return out;
}

float clip(float share) { return std::min(std::max(share, 0.0f), 1.0f); }

// The bytes of one pixel of world 0, as flat.py makes them.
void plain(const PictureBatch& b, int row, int column, float (&colour)[3]) {
  const float x = (float)column + 0.5f - 0.5f * (float)b.width, y = 0.5f * (float)b.height - 0.5f - (float)row;
  for (int k = 0; k < 3; k++) colour[k] = b.ground[k];
  for (int i = 0; i < b.num_figures; i++) {
    const float* f = b.figures + i * (kFigureHead + 3 * b.num_edges);
    const float* s = f + kFigureHead;
    float depth = std::min(y - f[0], f[1] - y);
    if (b.is_disc[i]) {
      const float dx = x - s[0], dy = y - s[1];
      depth = std::min(depth, 0.5f * s[2] - (dx * dx + dy * dy) * 0.5f / s[2]);
    } else {
      for (int e = 0; e < b.num_edges; e++) depth = std::min(depth, s[3 * e] * x + s[3 * e + 1] * y + s[3 * e + 2]);
    }
    for (int k = 0; k < 3; k++) {
      colour[k] += (f[6 + k] - colour[k]) * clip(depth + 0.5f);
      colour[k] += (f[3 + k] - colour[k]) * clip(depth - f[2] + 0.5f);
    }
  }
}

void check_against_plain(const Case& c, const std::vector<uint8_t>& made) {
  for (int row = 0; row < c.batch.height; row++) {
    for (int column = 0; column < c.batch.width; column++) {
      float colour[3];
      plain(c.batch, row, column, colour);
      for (int k = 0; k < 3; k++) {
        CHECK(fabsf((float)made[3 * (row * c.batch.width + column) + k] - colour[k]) < 0.6f);
      }
    }
  }
}

}  // namespace minicosm

int main() {
  using namespace minicosm;
  Random random{7};
  for (int i = 0; i < 1200; i++) {
    const bool sane = i % 2 == 0;
    const Case c = make(random, sane);
    const std::vector<uint8_t> one = run<1>(c);
    CHECK(one == run<4>(c));
    CHECK(one == run<16>(c));
    if (sane) check_against_plain(c, one);
  }
  return 0;
}
