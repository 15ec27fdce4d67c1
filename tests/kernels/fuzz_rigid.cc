// Random scenes, sane and not, one world at a time and a vector of them: no access out of bounds, no undefined step, no
// NaN from finite numbers, and the same bits whoever the neighbours are.

#include <math.h>
#include <string.h>

#include <memory>
#include <vector>

#include "fuzz_random.h"
#include "rigid_tick.h"

namespace minicosm {

constexpr int kWorlds = 2 * kNativeWidth - 1;  // a vector, and one of each that is narrower
constexpr int kTicks = 3;

// Arrays of exactly the length that the kernel may touch.
struct Case {
  RigidBatch batch{};
  std::vector<std::unique_ptr<float[]>> floats;
  std::vector<std::unique_ptr<int32_t[]>> ints;
  std::vector<std::unique_ptr<bool[]>> bools;
  std::vector<bool> is_hostile;  // per world

  float* real(int64_t per_world) { return floats.emplace_back(new float[per_world * kWorlds]()).get(); }
  int32_t* whole(int64_t count) { return ints.emplace_back(new int32_t[count]()).get(); }
  bool* truth(int64_t per_world) { return bools.emplace_back(new bool[per_world * kWorlds]()).get(); }
};

RigidSoftness softness(float hertz, float damping, float step) {
  const float frequency = 6.2831853f * hertz, a = 2.0f * damping + step * frequency, b = step * frequency * a;
  return {frequency / a, b / (1.0f + b), 1.0f / (1.0f + b)};
}

RigidSettings settings(Random& random) {
  RigidSettings s{};
  s.num_substeps = 1 + random.below(4);
  s.num_joint_sweeps = 1 + random.below(2);
  s.dt = 1.0f / 60.0f;
  s.step = s.dt / (float)s.num_substeps;
  s.rate = 1.0f / s.step;
  s.contact = softness(0.25f / s.step, 10.0f, s.step);
  s.static_contact = softness(0.5f / s.step, 10.0f, s.step);
  s.friction = softness(0.125f / s.step, 10.0f, s.step);
  s.joint = softness(s.rate / 3.0f, 1.0f, s.step);
  s.push_speed = 3.0f;
  s.pull_speed = 10.0f;
  s.restitution_threshold = 1.0f;
  s.margin = 0.02f;
  s.max_speed = 100.0f;
  s.max_spin = 50.0f;
  return s;
}

// Sizes, and all pairs that can meet: free shapes either way round, then walls on the left.
void lay_out_batch(Case& c, Random& random) {
  RigidBatch& b = c.batch;
  b.num_vertices = random.below(2) ? 3 + random.below(2) : 5 + random.below(12);
  b.num_walls = random.below(4);
  b.num_polygons = b.num_walls + random.below(5);
  b.num_circles = random.below(4) + (b.num_polygons == b.num_walls);
  b.num_joints = random.below(4);
  b.num_thrusters = random.below(3);
  b.settings = settings(random);
  std::vector<int32_t> left, right;
  for (int i = b.num_walls; i < b.num_shapes(); i++) {
    for (int j = b.num_walls; j < i; j++) {
      const bool flip = random.below(2);
      left.push_back(flip ? j : i);
      right.push_back(flip ? i : j);
    }
  }
  for (int i = 0; i < b.num_walls; i++) {
    for (int j = b.num_walls; j < b.num_shapes(); j++) {
      left.push_back(i);
      right.push_back(j);
    }
  }
  b.num_pairs = (int)left.size();
  int32_t *l = c.whole(b.num_pairs), *r = c.whole(b.num_pairs);
  for (int k = 0; k < b.num_pairs; k++) l[k] = left[k], r[k] = right[k];
  b.left = l, b.right = r;
}

float signed_zero(Random& random, float value) { return random.below(8) ? value : random.below(2) ? -0.0f : 0.0f; }

float power(Random& random, float low, float high) { return expf(random.uniform(logf(low), logf(high))); }

// A convex outline about the origin, anticlockwise; unused vertices repeat the last.
void outline(float* xy, int room, float radius, Random& random) {
  const int corners = 3 + random.below(room - 2);
  const float squeeze = random.uniform(0.1f, 1.0f);
  for (int k = 0; k < room; k++) {
    const float angle = 6.2831853f * (float)(k < corners ? k : corners - 1) / (float)corners;
    xy[2 * k] = radius * cosf(angle);
    xy[2 * k + 1] = radius * squeeze * sinf(angle);
  }
}

void fill_shapes(Case& c, Random& random) {
  RigidBatch& b = c.batch;
  const int S = b.num_shapes(), P = b.num_polygons, C = b.num_circles, V = b.num_vertices;
  float *vertices = c.real(P * V * 2), *radius = c.real(C), *mass = c.real(S), *inertia = c.real(S);
  float *friction = c.real(S), *restitution = c.real(S), *gravity = c.real(2);
  float *position = c.real(2 * S), *rotation = c.real(S), *velocity = c.real(2 * S), *spin = c.real(S);
  bool* collides = c.truth(b.num_pairs);
  for (int w = 0; w < kWorlds; w++) {
    const float room = random.below(3) ? 1.5f : random.below(2) ? 0.01f : 9000.0f;
    gravity[2 * w] = signed_zero(random, random.uniform(-1.0f, 1.0f));
    gravity[2 * w + 1] = random.below(8) ? -9.81f : random.uniform(-1e4f, 1e4f);
    for (int p = 0; p < P; p++) outline(vertices + (w * P + p) * V * 2, V, power(random, 0.01f, 2.0f), random);
    for (int i = 0; i < C; i++) radius[w * C + i] = power(random, 0.01f, 1.0f);
    for (int i = 0; i < S; i++) {
      const int at = w * S + i;
      const bool moves = i >= b.num_walls && random.below(5);
      mass[at] = moves ? 1.0f / power(random, 1e-6f, 1e9f) : 0.0f;
      inertia[at] = moves ? mass[at] / power(random, 1e-3f, 1.0f) : 0.0f;
      friction[at] = random.below(4) ? random.uniform(0.0f, 1.0f) : power(random, 1e-3f, 1e4f);
      restitution[at] = fmaxf(0.0f, random.uniform(-0.5f, 1.0f));
      const float speed = !moves ? 0.0f : random.below(4) ? 20.0f : 1e4f;
      for (int k = 0; k < 2; k++) {
        position[2 * at + k] = signed_zero(random, random.uniform(-room, room));
        velocity[2 * at + k] = signed_zero(random, speed * random.uniform(-1.0f, 1.0f));
      }
      rotation[at] = signed_zero(random, random.below(4) ? random.uniform(-4.0f, 4.0f) : random.uniform(-1e4f, 1e4f));
      spin[at] = signed_zero(random, speed * random.uniform(-1.0f, 1.0f));
    }
    for (int k = 0; k < b.num_pairs; k++) collides[w * b.num_pairs + k] = random.below(6) > 0;
  }
  b.vertices = vertices, b.radius = radius, b.inverse_mass = mass, b.inverse_inertia = inertia;
  b.friction = friction, b.restitution = restitution, b.gravity = gravity, b.collides = collides;
  b.position = position, b.rotation = rotation, b.velocity = velocity, b.angular_velocity = spin;
}

void fill_parts(Case& c, Random& random) {
  RigidBatch& b = c.batch;
  const int S = b.num_shapes(), J = b.num_joints, T = b.num_thrusters;
  int32_t *a = c.whole(J * kWorlds), *other = c.whole(J * kWorlds), *pushed = c.whole(T * kWorlds);
  bool *has_limit = c.truth(J), *active = c.truth(J);
  float *anchor_a = c.real(2 * J), *anchor_b = c.real(2 * J), *rest = c.real(J), *lower = c.real(J), *upper = c.real(J);
  float *hertz = c.real(J), *damping = c.real(J), *speed = c.real(J), *torque = c.real(J);
  float *point = c.real(2 * T), *angle = c.real(T), *thrust = c.real(T);
  for (int i = 0; i < J * kWorlds; i++) {
    a[i] = random.below(S);
    other[i] = S > 1 ? (a[i] + 1 + random.below(S - 1)) % S : a[i];
    active[i] = random.below(4) && a[i] != other[i];
    has_limit[i] = random.below(2);
    for (int k = 0; k < 2; k++) {
      anchor_a[2 * i + k] = signed_zero(random, random.uniform(-1.0f, 1.0f));
      anchor_b[2 * i + k] = random.below(9) ? random.uniform(-1.0f, 1.0f) : random.uniform(-10.0f, 10.0f);
    }
    rest[i] = random.below(9) ? random.uniform(-3.0f, 3.0f) : random.uniform(-1e4f, 1e4f);
    lower[i] = random.uniform(-2.0f, 0.0f);
    upper[i] = lower[i] + (random.below(3) ? random.uniform(0.0f, 3.0f) : 0.0f);
    hertz[i] = random.below(2) ? 0.0f : power(random, 0.1f, 1e4f);
    damping[i] = hertz[i] == 0.0f ? 1.0f : random.below(2) ? 0.0f : power(random, 1e-3f, 1e4f);
    speed[i] = random.uniform(-1e3f, 1e3f);
    torque[i] = random.below(2) ? 0.0f : power(random, 1e-3f, 1e9f);
  }
  for (int i = 0; i < T * kWorlds; i++) {
    pushed[i] = random.below(S);
    point[2 * i] = random.uniform(-1.0f, 1.0f), point[2 * i + 1] = random.uniform(-1e3f, 1e3f);
    angle[i] = random.uniform(-1e4f, 1e4f);
    thrust[i] = random.below(3) ? signed_zero(random, random.uniform(-10.0f, 10.0f)) : random.uniform(-1e9f, 1e9f);
  }
  b.shape_a = a, b.shape_b = other, b.thruster_shape = pushed, b.has_limit = has_limit, b.active = active;
  b.anchor_a = anchor_a, b.anchor_b = anchor_b, b.rest_angle = rest, b.lower = lower, b.upper = upper;
  b.spring_hertz = hertz, b.spring_damping = damping, b.motor_speed = speed, b.motor_torque = torque;
  b.thruster_point = point, b.thruster_angle = angle, b.thrust = thrust;
}

// Puts what no loader lets pass into some of the worlds.
void spoil(Case& c, Random& random) {
  const float odd[] = {NAN, -NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f, 0.0f, -1.0f, 1e4f};
  const int32_t wrong[] = {-1, INT32_MIN, INT32_MAX, c.batch.num_shapes(), 1000000};
  c.is_hostile.assign(kWorlds, false);
  for (int w = 0; w < kWorlds; w++) {
    if (random.below(3)) continue;
    c.is_hostile[w] = true;
    const RigidBatch& b = c.batch;
    const int S = b.num_shapes(), J = b.num_joints, T = b.num_thrusters, V = b.num_vertices;
    const auto put = [&](const float* array, int per_world) {
      if (!per_world || random.below(3)) return;
      ((float*)array)[w * per_world + random.below(per_world)] = odd[random.below(10)];
    };
    const auto misdirect = [&](const int32_t* array, int per_world) {
      if (!per_world || random.below(2)) return;
      ((int32_t*)array)[w * per_world + random.below(per_world)] = wrong[random.below(5)];
    };
    put(b.vertices, b.num_polygons * V * 2), put(b.radius, b.num_circles), put(b.gravity, 2);
    put(b.inverse_mass, S), put(b.inverse_inertia, S), put(b.friction, S), put(b.restitution, S);
    put(b.position, 2 * S), put(b.velocity, 2 * S), put(b.rotation, S), put(b.angular_velocity, S);
    put(b.anchor_a, 2 * J), put(b.anchor_b, 2 * J), put(b.rest_angle, J), put(b.lower, J), put(b.upper, J);
    put(b.spring_hertz, J), put(b.spring_damping, J), put(b.motor_speed, J), put(b.motor_torque, J);
    put(b.thruster_point, 2 * T), put(b.thruster_angle, T), put(b.thrust, T);
    misdirect(b.shape_a, J), misdirect(b.shape_b, J), misdirect(b.thruster_shape, T);
    if (J && random.below(2)) ((int32_t*)b.shape_a)[w * J] = b.shape_b[w * J];  // a joint of a shape with itself
  }
}

// What ticks leave, in the order of `State`, how long each field of one world is, and when each pair first pressed.
struct Fields {
  std::unique_ptr<float[]> data[6];
  int64_t length[6];
  std::vector<int32_t> touch;

  explicit Fields(const RigidBatch& b) : touch(kWorlds * b.num_pairs, kTicks) {
    const int64_t S = b.num_shapes();
    const int64_t lengths[] = {2 * S, S, 2 * S, S, 8 * (int64_t)b.num_pairs, 6 * (int64_t)b.num_joints};
    for (int i = 0; i < 6; i++) {
      length[i] = lengths[i];
      data[i].reset(new float[lengths[i] * kWorlds]);
    }
  }
};

// kTicks ticks, `together` worlds and `ticks` ticks at a time, from memory that holds rubbish.
Fields run(RigidBatch b, int together, int ticks) {
  const int64_t bytes = kNativeWidth * rigid_scratch(b) * (int64_t)sizeof(float);
  void* scratch = nullptr;
  CHECK(posix_memalign(&scratch, 64, bytes) == 0);
  Fields state(b);
  float** const fields[] = {&b.position, &b.rotation, &b.velocity, &b.angular_velocity, &b.contacts, &b.joint_impulses};
  for (int i = 0; i < 6; i++) {
    const int64_t size = state.length[i] * kWorlds * sizeof(float);
    if (*fields[i]) memcpy(state.data[i].get(), *fields[i], size);
    else memset(state.data[i].get(), 0, size);  // no impulses yet
    *fields[i] = state.data[i].get();
  }
  const std::unique_ptr<int32_t[]> touch(new int32_t[kWorlds * b.num_pairs]);
  b.settings.num_ticks = ticks;
  b.first_touch = touch.get();
  for (int tick = 0; tick < kTicks; tick += ticks) {
    memset(scratch, together == 1 ? 0xff : 0x7f, bytes);
    for (int first = 0; first < kWorlds; first += together) {
      rigid_tick(b, (float*)scratch, first, first + together < kWorlds ? first + together : kWorlds);
    }
    for (int i = 0; i < kWorlds * b.num_pairs; i++) {
      CHECK(0 <= touch[i] && touch[i] <= ticks);
      if (touch[i] < ticks && state.touch[i] == kTicks) state.touch[i] = tick + touch[i];
    }
  }
  free(scratch);
  return state;
}

}  // namespace minicosm

int main() {
  using namespace minicosm;
  Random random{7};
  int touching = 0, first_touches[kTicks + 1] = {};
  for (int i = 0; i < 4000; i++) {
    Case c;
    lay_out_batch(c, random);
    fill_shapes(c, random);
    fill_parts(c, random);
    spoil(c, random);
    const Fields alone = run(c.batch, 1, 1), side_by_side = run(c.batch, kWorlds, 1);
    const Fields at_once = run(c.batch, kWorlds, kTicks);
    for (int w = 0; w < kWorlds; w++) {
      if (c.is_hostile[w]) continue;
      for (int f = 0; f < 6; f++) {
        const int64_t n = alone.length[f];
        const float *x = alone.data[f].get() + w * n, *y = side_by_side.data[f].get() + w * n;
        for (int64_t k = 0; k < n; k++) CHECK(isfinite(x[k]));
        CHECK(!memcmp(x, y, n * sizeof(float)));
        CHECK(!memcmp(x, at_once.data[f].get() + w * n, n * sizeof(float)));
      }
      for (int k = w * c.batch.num_pairs; k < (w + 1) * c.batch.num_pairs; k++) {
        CHECK(alone.touch[k] == side_by_side.touch[k] && alone.touch[k] == at_once.touch[k]);
        first_touches[alone.touch[k]]++;
      }
      for (int64_t k = 3; k < alone.length[4]; k += 4) touching += alone.data[4][w * alone.length[4] + k] > 0.0f;
    }
  }
  CHECK(touching > 5000);  // or nothing was tried
  for (int tick = 0; tick <= kTicks; tick++) CHECK(first_touches[tick] > 300);
  return 0;
}
