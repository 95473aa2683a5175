#include "apical/data/fft.h"

#include <kiss_fftr.h>

#include "apical/base/error.h"

namespace apical::data {
static_assert(sizeof(kiss_fft_cpx) == sizeof(std::complex<float>), "kissfft must be the float build");

void RealFft::Free::operator()(kiss_fftr_state* plan) const noexcept { kiss_fftr_free(plan); }

RealFft::RealFft(int n) : n_(n) {
  if (n < 2 || n % 2 != 0) throw internal_error("a real transform needs an even length, not " + std::to_string(n));
  forward_.reset(kiss_fftr_alloc(n, 0, nullptr, nullptr));
  inverse_.reset(kiss_fftr_alloc(n, 1, nullptr, nullptr));
  if (!forward_ || !inverse_) throw std::bad_alloc();
}

void RealFft::forward(std::span<const float> in, std::span<std::complex<float>> out) {
  if (in.size() != static_cast<std::size_t>(n_) || out.size() != static_cast<std::size_t>(n_ / 2 + 1))
    throw internal_error("sizes do not fit the transform", "RealFft");
  kiss_fftr(forward_.get(), in.data(), reinterpret_cast<kiss_fft_cpx*>(out.data()));
}

void RealFft::inverse(std::span<const std::complex<float>> in, std::span<float> out) {
  if (out.size() != static_cast<std::size_t>(n_) || in.size() != static_cast<std::size_t>(n_ / 2 + 1))
    throw internal_error("sizes do not fit the transform", "RealFft");
  kiss_fftri(inverse_.get(), reinterpret_cast<const kiss_fft_cpx*>(in.data()), out.data());
}

}  // namespace apical::data
