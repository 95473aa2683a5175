// The plain reference of two_point.cpp, cell by cell. What the SIMD levels must give bit for bit.
#include "apical/kernels/neurons/two_point_rows.h"
#include "apical/kernels/neurons/two_point_scalar.h"

namespace apical::kernels::scan {
namespace {

struct Forward {
  const TwoPointForward& f;
  std::size_t begin, end;
  template <Mtf K, TwoPointOutput Y>
  std::size_t run() const {
    const auto cell = plain::two_point_cell<float, K, Y>(f.m);
    std::size_t active = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const auto one = f.context ? cell.forward(f.r[i], f.context[i]) : cell.forward(f.r[i]);
      f.h[i] = one.h;
      active += !one.silent;
    }
    return active;
  }
};

struct Backward {
  const TwoPointBackward& b;
  std::size_t begin, end;
  template <Mtf K, TwoPointOutput Y>
  void run() const {
    const auto cell = plain::two_point_cell<float, K, Y>(b.m);
    for (std::size_t i = begin; i < end; ++i) {
      const auto g = b.context ? cell.backward(b.r[i], b.context[i], b.grad_h[i]) : cell.backward(b.r[i], b.grad_h[i]);
      b.grad_r[i] = g.r;
      if (b.grad_context) b.grad_context[i] = g.context;
    }
  }
};

}  // namespace

std::size_t two_point_forward_reference(const TwoPointForward& f, std::size_t begin, std::size_t end) noexcept {
  return plain::with_form(f.m, Forward{f, begin, end});
}

void two_point_backward_reference(const TwoPointBackward& b, std::size_t begin, std::size_t end) noexcept {
  plain::with_form(b.m, Backward{b, begin, end});
}

}  // namespace apical::kernels::scan
