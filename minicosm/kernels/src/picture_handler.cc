// What XLA calls for flat pictures: checks the shapes and spreads the pictures over the cores.

#include "kernels.h"
#include "parallel.h"
#include "picture.h"
#include "xla/ffi/api/ffi.h"

#define MINICOSM_EXPORT extern "C" __attribute__((visibility("default")))

namespace minicosm {
namespace {

namespace ffi = xla::ffi;

constexpr int64_t kPixelsPerBlock = 16384;  // of the order of 20 us

ffi::Error picture(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> figures, ffi::ResultBuffer<ffi::U8> out,
                   ffi::Span<const int32_t> is_disc, ffi::Span<const float> ground) {
  const auto f = figures.dimensions(), o = out->dimensions();
  if (f.size() < 2 || o.size() < 3 || ground.size() != 3) {
    return ffi::Error::InvalidArgument("picture: axes are missing");
  }
  const int64_t num_figures = f[f.size() - 2], floats = f[f.size() - 1];
  const int64_t height = o[o.size() - 3], width = o[o.size() - 2];
  const int64_t num_edges = (floats - kFigureHead) / 3;
  const int64_t pixels = height * width;
  const int64_t worlds = pixels == 0 ? 0 : (int64_t)out->element_count() / (3 * pixels);
  const bool fits = o[o.size() - 1] == 3 && num_figures == (int64_t)is_disc.size() &&
                    num_figures <= kPictureMaxFigures && width <= kPictureMaxWidth && height <= INT16_MAX &&
                    num_edges >= 1 && num_edges <= 16 && floats == kFigureHead + 3 * num_edges &&
                    (int64_t)figures.element_count() == worlds * num_figures * floats;
  if (!fits) return ffi::Error::InvalidArgument("picture: the shapes do not go together");
  PictureBatch batch{};
  batch.figures = figures.typed_data();
  batch.is_disc = is_disc.begin();
  batch.num_figures = num_figures;
  batch.num_edges = (int32_t)num_edges;
  batch.height = (int32_t)height;
  batch.width = (int32_t)width;
  for (int c = 0; c < 3; c++) batch.ground[c] = ground[c];
  batch.out = out->typed_data();
  const Kernels& set = kernels();
  const int64_t block = std::max<int64_t>(1, kPixelsPerBlock / std::max<int64_t>(1, pixels));
  parallel_for(pool, worlds, block, [&](int64_t first, int64_t last) { set.picture(batch, first, last); });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace minicosm

MINICOSM_EXPORT XLA_FFI_Error* minicosm_picture(XLA_FFI_CallFrame* frame);

XLA_FFI_DEFINE_HANDLER_SYMBOL(minicosm_picture, minicosm::picture,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<xla::ffi::Buffer<xla::ffi::F32>>()
                                  .Ret<xla::ffi::Buffer<xla::ffi::U8>>()
                                  .Attr<xla::ffi::Span<const int32_t>>("is_disc")
                                  .Attr<xla::ffi::Span<const float>>("ground"));
