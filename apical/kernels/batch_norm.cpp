#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/batch_norm.cpp"
#include "apical/kernels/batch_norm.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/channels-inl.h"

// Sum of term(row) in four strands, so that additions need not wait for each other.
template <class D, class Term>
HWY_INLINE hn::Vec<D> sum_rows(D d, size_t rows, Term term) {
  auto a = hn::Zero(d), b = a, c = a, e = a;
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    a = hn::Add(a, term(r));
    b = hn::Add(b, term(r + 1));
    c = hn::Add(c, term(r + 2));
    e = hn::Add(e, term(r + 3));
  }
  for (; r < rows; ++r) a = hn::Add(a, term(r));
  return hn::Add(hn::Add(a, b), hn::Add(c, e));
}

// Mean of a tile and the sum of squares around it.
void tile_moments(const float* x, size_t rows, size_t C, bool vector, float* mean, float* squares) {
  channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
    const float* at = x + c;
    const auto m = hn::Mul(sum_rows(d, rows, [&](size_t r) HWY_ATTR { return hn::LoadU(d, at + r * C); }), hn::Set(d, 1.0f / static_cast<float>(rows)));
    hn::StoreU(m, d, mean + c);
    hn::StoreU(sum_rows(d, rows,
                        [&](size_t r) HWY_ATTR {
                          const auto e = hn::Sub(hn::LoadU(d, at + r * C), m);
                          return hn::Mul(e, e);
                        }),
               d, squares + c);
  });
}

// Sums of g and of g * (x - mean) of a tile.
void tile_gradients(const float* x, const float* g, size_t rows, size_t C, bool vector, const float* mean, float* sum, float* product) {
  channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
    const auto m = hn::LoadU(d, mean + c);
    hn::StoreU(sum_rows(d, rows, [&](size_t r) HWY_ATTR { return hn::LoadU(d, g + c + r * C); }), d, sum + c);
    hn::StoreU(sum_rows(d, rows,
                        [&](size_t r) HWY_ATTR { return hn::Mul(hn::LoadU(d, g + c + r * C), hn::Sub(hn::LoadU(d, x + c + r * C), m)); }),
               d, product + c);
  });
}

// y = (x - mean) * scale + bias
void tile_normalise(const float* x, size_t rows, size_t C, bool vector, const float* mean, const float* scale, const float* bias, float* y) {
  channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
    const auto m = hn::LoadU(d, mean + c), s = hn::LoadU(d, scale + c), b = hn::LoadU(d, bias + c);
    for (size_t r = 0; r < rows; ++r) hn::StoreU(hn::Add(hn::Mul(hn::Sub(hn::LoadU(d, x + r * C + c), m), s), b), d, y + r * C + c);
  });
}

// grad_x = scale * (g - (base + (x - mean) * slope))
void tile_backward(const float* x, const float* g, size_t rows, size_t C, bool vector, const float* mean, const float* scale, const float* base, const float* slope,
                   float* grad_x) {
  channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
    const auto m = hn::LoadU(d, mean + c), s = hn::LoadU(d, scale + c), b = hn::LoadU(d, base + c), k = hn::LoadU(d, slope + c);
    for (size_t r = 0; r < rows; ++r) {
      const size_t at = r * C + c;
      const auto fit = hn::Add(b, hn::Mul(hn::Sub(hn::LoadU(d, x + at), m), k));
      hn::StoreU(hn::Mul(s, hn::Sub(hn::LoadU(d, g + at), fit)), d, grad_x + at);
    }
  });
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(tile_moments);
HWY_EXPORT(tile_gradients);
HWY_EXPORT(tile_normalise);
HWY_EXPORT(tile_backward);

// A group's rows in tiles of about 16 KiB, which stay in the first level cache between two passes. The sums depend on this size.
struct Tiles {
  explicit Tiles(const BatchNorm& shape) : s(shape), rows(std::clamp<std::size_t>(4096 / std::max<std::size_t>(s.channels, 1), 1, s.rows)), count((s.rows + rows - 1) / rows) {}
  const BatchNorm& s;
  std::size_t rows, count;  // rows of a tile, tiles of a group

  std::size_t rows_of(std::size_t tile) const { return std::min(rows, s.rows - tile * rows); }
  // work(group, tile of the group, where it starts in x, its rows)
  template <class Work>
  void each(Work work) const {
    parallel_for(0, s.groups * count, 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const std::size_t group = i / count, tile = i % count;
        work(group, tile, (group * s.rows + tile * rows) * s.channels, rows_of(tile));
      }
    });
  }
};

}  // namespace

void batch_norm(const BatchNorm& s, const float* x, const float* weight, const float* bias, double momentum, float* running_mean, float* running_var, float* y,
                float* mean, float* inv_std) noexcept {
  const bool vector = !scalar_level();
  const std::size_t C = s.channels;
  const Tiles tiles(s);
  std::vector<float> means(s.groups * tiles.count * C), squares(means.size()), scale(s.groups * C);
  tiles.each([&](std::size_t group, std::size_t tile, std::size_t at, std::size_t rows) {
    const std::size_t to = (group * tiles.count + tile) * C;
    HWY_DYNAMIC_DISPATCH(tile_moments)(x + at, rows, C, vector, &means[to], &squares[to]);
  });
  // Chan, Golub and LeVeque's joining of means and sums of squares
  std::vector<double> m(C), q(C);
  const double n = static_cast<double>(s.rows), unbiased = s.rows > 1 ? 1.0 / (n - 1) : 1.0;
  for (std::size_t group = 0; group < s.groups; ++group) {
    std::fill(m.begin(), m.end(), 0.0);
    std::fill(q.begin(), q.end(), 0.0);
    double before = 0;
    for (std::size_t tile = 0; tile < tiles.count; ++tile) {
      const double here = static_cast<double>(tiles.rows_of(tile)), share = here / (before + here);
      const float *tm = &means[(group * tiles.count + tile) * C], *tq = &squares[(group * tiles.count + tile) * C];
      for (std::size_t c = 0; c < C; ++c) {
        const double delta = tm[c] - m[c];
        m[c] += delta * share;
        q[c] += tq[c] + delta * delta * before * share;
      }
      before += here;
    }
    for (std::size_t c = 0; c < C; ++c) {
      const double inverse = 1.0 / std::sqrt(q[c] / n + s.eps);
      mean[group * C + c] = static_cast<float>(m[c]);
      inv_std[group * C + c] = static_cast<float>(inverse);
      scale[group * C + c] = static_cast<float>(inverse * weight[c]);
      running_mean[c] = static_cast<float>(running_mean[c] + momentum * (m[c] - running_mean[c]));
      running_var[c] = static_cast<float>(running_var[c] + momentum * (q[c] * unbiased - running_var[c]));
    }
  }
  tiles.each([&](std::size_t group, std::size_t, std::size_t at, std::size_t rows) {
    HWY_DYNAMIC_DISPATCH(tile_normalise)(x + at, rows, C, vector, mean + group * C, &scale[group * C], bias, y + at);
  });
}

void batch_norm_backward(const BatchNorm& s, const float* x, const float* weight, const float* mean, const float* inv_std, const float* grad_y, float* grad_x,
                         float* grad_weight, float* grad_bias) noexcept {
  const bool vector = !scalar_level();
  const std::size_t C = s.channels;
  const Tiles tiles(s);
  std::vector<float> sums(s.groups * tiles.count * C), products(sums.size()), scale(s.groups * C), base(scale.size()), slope(scale.size());
  tiles.each([&](std::size_t group, std::size_t tile, std::size_t at, std::size_t rows) {
    const std::size_t to = (group * tiles.count + tile) * C;
    HWY_DYNAMIC_DISPATCH(tile_gradients)(x + at, grad_y + at, rows, C, vector, mean + group * C, &sums[to], &products[to]);
  });
  std::vector<double> total_sum(C), total_product(C), sum(C), product(C);
  const double n = static_cast<double>(s.rows);
  for (std::size_t group = 0; group < s.groups; ++group) {
    std::fill(sum.begin(), sum.end(), 0.0);
    std::fill(product.begin(), product.end(), 0.0);
    for (std::size_t tile = 0; tile < tiles.count; ++tile)
      for (std::size_t c = 0; c < C; ++c) {
        sum[c] += sums[(group * tiles.count + tile) * C + c];
        product[c] += products[(group * tiles.count + tile) * C + c];
      }
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = group * C + c;
      const double inverse = inv_std[i];
      scale[i] = static_cast<float>(inverse * weight[c]);
      base[i] = static_cast<float>(sum[c] / n);
      slope[i] = static_cast<float>(product[c] * inverse * inverse / n);
      total_sum[c] += sum[c];
      total_product[c] += product[c] * inverse;
    }
  }
  for (std::size_t c = 0; c < C; ++c) grad_weight[c] = static_cast<float>(total_product[c]), grad_bias[c] = static_cast<float>(total_sum[c]);
  tiles.each([&](std::size_t group, std::size_t, std::size_t at, std::size_t rows) {
    HWY_DYNAMIC_DISPATCH(tile_backward)
    (x + at, grad_y + at, rows, C, vector, mean + group * C, &scale[group * C], &base[group * C], &slope[group * C], grad_x + at);
  });
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
