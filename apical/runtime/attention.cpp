#include "apical/runtime/attention.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "apical/kernels/neurons/two_point_scalar.h"

namespace apical::runtime {
namespace {

// e^x for x <= 0 from the powers of two of the two-point cells: the same bits with every C library.
float exp_of(float x) { return kernels::plain::detail::exp2_of<kernels::plain::TwoPointOps<float>>(x * std::numbers::log2e_v<float>); }

}  // namespace

void attention(const float* q, const float* k, const float* v, std::size_t tokens, std::size_t width, std::size_t heads, float* weights, float* y) noexcept {
  const std::size_t each = width / heads;
  const float scale = std::sqrt(static_cast<float>(each));
  std::fill(y, y + tokens * width, 0.0f);
  for (std::size_t n = 0; n < tokens; ++n)
    for (std::size_t first = 0; first < width; first += each) {
      std::fill(weights, weights + tokens, 0.0f);
      for (std::size_t f = first; f < first + each; ++f) {
        const float of_query = q[n * width + f];
        if (of_query == 0.0f) continue;
        for (std::size_t m = 0; m < tokens; ++m) weights[m] += of_query * k[m * width + f];
      }
      const float most = *std::max_element(weights, weights + tokens);
      float sum = 0;
      for (std::size_t m = 0; m < tokens; ++m) sum += weights[m] = exp_of((weights[m] - most) / scale);
      for (std::size_t m = 0; m < tokens; ++m) {
        const float weight = weights[m] / sum;
        for (std::size_t f = first; f < first + each; ++f) y[n * width + f] += weight * v[m * width + f];
      }
    }
}

double attention_products(const float* q, const float* k, const float* v, std::size_t tokens, std::size_t width) noexcept {
  double products = 0;
  for (std::size_t f = 0; f < width; ++f) {
    double of_q = 0, of_k = 0, of_v = 0;
    for (std::size_t n = 0; n < tokens; ++n) of_q += q[n * width + f] != 0, of_k += k[n * width + f] != 0, of_v += v[n * width + f] != 0;
    products += of_q * of_k + static_cast<double>(tokens) * of_v;
  }
  return products;
}

}  // namespace apical::runtime
