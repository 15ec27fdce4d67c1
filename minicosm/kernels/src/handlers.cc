// What XLA calls: one handler a kernel, which checks the shapes and spreads the worlds over the cores.
// Leading axes that vmap adds are worlds too.

#include "kernels.h"
#include "lidar.h"
#include "parallel.h"
#include "xla/ffi/api/ffi.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

namespace ffi = xla::ffi;

using Floats = ffi::Buffer<ffi::F32>;
using Words = ffi::Buffer<ffi::U32>;
using Bools = ffi::Buffer<ffi::PRED>;
using FloatsOut = ffi::ResultBuffer<ffi::F32>;

constexpr int64_t kBeamsPerBlock = 8192;  // of the order of 20 us

// True where the last axes of `dimensions` are `wanted`, and the axes before them hold `worlds` elements.
bool shaped(ffi::Span<const int64_t> dimensions, int64_t worlds, std::initializer_list<int64_t> wanted) {
  if (dimensions.size() < wanted.size()) return false;
  const size_t leading = dimensions.size() - wanted.size();
  int64_t held = 1;
  for (size_t i = 0; i < leading; i++) held *= dimensions[i];
  return held == worlds && std::equal(wanted.begin(), wanted.end(), dimensions.begin() + leading);
}

ffi::Error lidar_scan(ffi::ThreadPool pool, Words columns, Words rows, Floats position, Floats direction,
                      Bools present, Floats tail, FloatsOut rows_out, FloatsOut shortest,
                      ffi::Span<const float> beam_cos, ffi::Span<const float> beam_sin, int64_t margin,
                      float max_range, float radius, float gain, float offset) {
  const auto c = columns.dimensions(), r = rows.dimensions(), p = position.dimensions(), t = tail.dimensions();
  if (c.size() < 2 || r.size() < 2 || p.size() < 2 || t.size() < 2) return ffi::Error::InvalidArgument("lidar_scan: axes are missing");
  const int64_t num_robots = p[p.size() - 2], num_beams = (int64_t)beam_cos.size();
  const int64_t worlds = num_robots == 0 ? 0 : (int64_t)position.element_count() / (2 * num_robots);
  LidarScan scan{};
  scan.columns = columns.typed_data();
  scan.rows = rows.typed_data();
  scan.position = position.typed_data();
  scan.direction = direction.typed_data();
  scan.present = present.typed_data();
  scan.beam_cos = beam_cos.begin();
  scan.beam_sin = beam_sin.begin();
  scan.tail = tail.typed_data();
  scan.rows_out = rows_out->typed_data();
  scan.shortest = shortest->typed_data();
  scan.num_columns = c[c.size() - 2];
  scan.column_words = c[c.size() - 1];
  scan.num_rows = r[r.size() - 2];
  scan.row_words = r[r.size() - 1];
  scan.num_robots = num_robots;
  scan.num_beams = num_beams;
  scan.num_tail = t[t.size() - 1];
  scan.margin = (int32_t)margin;
  scan.max_range = max_range;
  scan.radius = radius;
  scan.gain = gain;
  scan.offset = offset;
  const int64_t lines = 2 * margin + 1;
  const bool fits = margin >= 1 && margin <= kLidarMaxMargin && max_range <= (float)margin && scan.num_columns > lines &&
                    scan.num_rows > lines && 32 * scan.column_words >= scan.num_rows &&
                    32 * scan.row_words >= scan.num_columns && beam_sin.size() == beam_cos.size();
  if (!fits || !shaped(c, worlds, {scan.num_columns, scan.column_words}) ||
      !shaped(r, worlds, {scan.num_rows, scan.row_words}) || !shaped(p, worlds, {num_robots, 2}) ||
      !shaped(direction.dimensions(), worlds, {num_robots, 2}) ||
      !shaped(present.dimensions(), worlds, {num_robots}) ||
      !shaped(t, worlds, {num_robots, scan.num_tail}) ||
      !shaped(rows_out->dimensions(), worlds, {num_robots, num_beams + scan.num_tail}) ||
      !shaped(shortest->dimensions(), worlds, {num_robots})) {
    return ffi::Error::InvalidArgument("lidar_scan: the shapes do not go together");
  }
  const int64_t block = std::max<int64_t>(1, kBeamsPerBlock / std::max<int64_t>(1, num_robots * num_beams));
  const Kernels& set = kernels();
  parallel_for(pool, worlds, block, [&](int64_t first, int64_t last) { set.lidar_scan(scan, first, last); });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace minicosm

MINICOSM_EXPORT XLA_FFI_Error* minicosm_lidar_scan(XLA_FFI_CallFrame* frame);

XLA_FFI_DEFINE_HANDLER_SYMBOL(minicosm_lidar_scan, minicosm::lidar_scan,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<minicosm::Words>()
                                  .Arg<minicosm::Words>()
                                  .Arg<minicosm::Floats>()
                                  .Arg<minicosm::Floats>()
                                  .Arg<minicosm::Bools>()
                                  .Arg<minicosm::Floats>()
                                  .Ret<xla::ffi::Buffer<xla::ffi::F32>>()
                                  .Ret<xla::ffi::Buffer<xla::ffi::F32>>()
                                  .Attr<xla::ffi::Span<const float>>("beam_cos")
                                  .Attr<xla::ffi::Span<const float>>("beam_sin")
                                  .Attr<int64_t>("margin")
                                  .Attr<float>("max_range")
                                  .Attr<float>("radius")
                                  .Attr<float>("gain")
                                  .Attr<float>("offset"));

// The version of XLA's interface that this library speaks: 1000 major + minor.
MINICOSM_EXPORT int minicosm_ffi_version() { return 1000 * XLA_FFI_API_MAJOR + XLA_FFI_API_MINOR; }
