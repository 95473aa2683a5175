#pragma once
// The Fourier transform of real sequences, by kissfft. Private to the room.
#include <complex>
#include <memory>
#include <span>

struct kiss_fftr_state;

namespace apical::data {

/// Plans and working memory for one even length n. Not for two threads at once.
class RealFft {
 public:
  explicit RealFft(int n);
  int size() const noexcept { return n_; }
  /// out[k] = sum_t in[t] exp(-2 pi i k t / n), k = 0 .. n/2; in [n], out [n/2 + 1].
  void forward(std::span<const float> in, std::span<std::complex<float>> out);
  /// The inverse times n: in [n/2 + 1], out [n].
  void inverse(std::span<const std::complex<float>> in, std::span<float> out);

 private:
  struct Free {
    void operator()(kiss_fftr_state* plan) const noexcept;
  };
  int n_;
  std::unique_ptr<kiss_fftr_state, Free> forward_, inverse_;
};

}  // namespace apical::data
