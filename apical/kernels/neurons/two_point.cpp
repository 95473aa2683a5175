#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/neurons/two_point.cpp"
#include "apical/kernels/neurons/two_point.h"

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <atomic>
#include <cstdint>

#include "apical/base/thread_pool.h"
#include "apical/kernels/neurons/two_point_rows.h"
#include "apical/kernels/neurons/two_point_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/ops-inl.h"
#include "apical/kernels/neurons/two_point-inl.h"

struct CellOps : Ops {
  static HWY_INLINE V copysign(V size, V sign) { return hn::CopySignToAbs(size, sign); }
  static HWY_INLINE Exp2Parts<CellOps> exp2_parts(V w);
  static HWY_INLINE size_t count(M m) { return hn::CountTrue(D(), m); }
};
struct FourCells : Four<CellOps> {
  static HWY_INLINE Exp2Parts<FourCells> exp2_parts(V w);
};

HWY_INLINE Exp2Parts<CellOps> CellOps::exp2_parts(V w) { return exp2_parts_float<CellOps>(w); }
HWY_INLINE Exp2Parts<FourCells> FourCells::exp2_parts(V w) { return exp2_parts_float<FourCells>(w); }

template <class O, Mtf K, TwoPointOutput Y>
HWY_INLINE TwoPointCell<O, K, Y> cell_of(const TwoPoint& m) {
  return {O::set(m.c_max), O::set(-static_cast<float>(kTanh) / m.c_max)};
}
template <class O>
HWY_INLINE void put(typename O::V v, float* p, size_t i, bool past_caches) {
  past_caches ? O::stream(v, p, i) : O::store(v, p, i);
}

// Cells from i on by the lanes of O, as long as all of them fit; i moves on.
template <class O, Mtf K, TwoPointOutput Y, bool kContext>
HWY_INLINE size_t forward_lanes(const scan::TwoPointForward& f, size_t& i, size_t end) {
  const auto cell = cell_of<O, K, Y>(f.m);
  const float *r = f.r, *context = f.context;
  float* h = f.h;
  const bool stream = f.stream;
  size_t silent = 0, at = i;
  for (; at + O::lanes() <= end; at += O::lanes()) {
    const Sent<O> cells = kContext ? cell.forward(O::load(r, at), O::load(context, at)) : cell.forward(O::load(r, at));
    put<O>(cells.h, h, at, stream);
    silent += O::count(cells.silent);
  }
  i = at;
  return silent;
}

template <Mtf K, TwoPointOutput Y, bool kContext>
size_t forward_cells(const scan::TwoPointForward& f, size_t begin, size_t end) {
  size_t i = begin;
  size_t silent = forward_lanes<FourCells, K, Y, kContext>(f, i, end);
  silent += forward_lanes<CellOps, K, Y, kContext>(f, i, end);
  return i - begin - silent + scan::two_point_forward_reference(f, i, end);
}

template <class O, Mtf K, TwoPointOutput Y, bool kContext>
HWY_INLINE size_t backward_lanes(const scan::TwoPointBackward& b, size_t i, size_t end) {
  const auto cell = cell_of<O, K, Y>(b.m);
  const float *r = b.r, *context = b.context, *grad_h = b.grad_h;
  float *grad_r = b.grad_r, *grad_context = b.grad_context;
  const bool stream = b.stream;
  for (; i + O::lanes() <= end; i += O::lanes()) {
    const TwoPointGradient<O> g = kContext ? cell.backward(O::load(r, i), O::load(context, i), O::load(grad_h, i))
                                           : cell.backward(O::load(r, i), O::load(grad_h, i));
    put<O>(g.r, grad_r, i, stream);
    if (grad_context) put<O>(g.context, grad_context, i, stream);
  }
  return i;
}

template <Mtf K, TwoPointOutput Y, bool kContext>
void backward_cells(const scan::TwoPointBackward& b, size_t begin, size_t end) {
  const size_t i = backward_lanes<FourCells, K, Y, kContext>(b, begin, end);
  scan::two_point_backward_reference(b, backward_lanes<CellOps, K, Y, kContext>(b, i, end), end);
}

struct Forward {
  const scan::TwoPointForward& f;
  size_t begin, end;
  template <Mtf K, TwoPointOutput Y>
  size_t run() const {
    return f.context ? forward_cells<K, Y, true>(f, begin, end) : forward_cells<K, Y, false>(f, begin, end);
  }
};
struct Backward {
  const scan::TwoPointBackward& b;
  size_t begin, end;
  template <Mtf K, TwoPointOutput Y>
  void run() const {
    b.context ? backward_cells<K, Y, true>(b, begin, end) : backward_cells<K, Y, false>(b, begin, end);
  }
};

size_t forward(const scan::TwoPointForward& f, size_t begin, size_t end) { return plain::with_form(f.m, Forward{f, begin, end}); }
void backward(const scan::TwoPointBackward& b, size_t begin, size_t end) { plain::with_form(b.m, Backward{b, begin, end}); }

void tanh_row(const float* x, float* y, size_t begin, size_t end) {
  size_t i = begin;
  for (; i + Ops::lanes() <= end; i += Ops::lanes()) Ops::store(tanh_of<CellOps>(Ops::load(x, i), Ops::set(-static_cast<float>(kTanh))), y, i);
  for (; i < end; ++i) y[i] = plain::tanh(x[i]);
}
void tanh_back_row(const float* y, const float* grad_y, float* grad_x, size_t begin, size_t end) {
  size_t i = begin;
  for (; i + Ops::lanes() <= end; i += Ops::lanes())
    Ops::store(Ops::mul(Ops::load(grad_y, i), tanh_slope<CellOps>(Ops::load(y, i))), grad_x, i);
  for (; i < end; ++i) grad_x[i] = grad_y[i] * plain::tanh_slope(y[i]);
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(forward);
HWY_EXPORT(backward);
HWY_EXPORT(tanh_row);
HWY_EXPORT(tanh_back_row);
using scan::kCells;

// Whether n values should go past the caches, as in scan.cpp: they would not stay there, and lines that are written whole need not be read.
// Not where they replace what was just read.
bool past_caches(const float* to, std::size_t n, const float* a, const float* b) noexcept {
  return n * sizeof(float) >= (std::size_t{16} << 20) && reinterpret_cast<std::uintptr_t>(to) % 64 == 0 && to != a && to != b;
}

}  // namespace

std::uint64_t two_point_forward(const TwoPoint& m, const float* r, const float* context, std::size_t n, float* h) noexcept {
  const scan::TwoPointForward f{m, r, context, h, past_caches(h, n, r, context)};
  const bool plain_level = scalar_level();
  std::atomic<std::uint64_t> active{0};
  parallel_for(0, n, kCells, [&](std::size_t begin, std::size_t end) {
    active.fetch_add(plain_level ? scan::two_point_forward_reference(f, begin, end) : HWY_DYNAMIC_DISPATCH(forward)(f, begin, end),
                     std::memory_order_relaxed);
    if (f.stream) hwy::FlushStream();
  });
  return active;
}

void two_point_backward(const TwoPoint& m, const float* r, const float* context, const float* grad_h, std::size_t n, float* grad_r,
                        float* grad_context) noexcept {
  const bool stream = past_caches(grad_r, n, grad_h, grad_h) && past_caches(grad_context, n, grad_h, grad_h);
  const scan::TwoPointBackward b{m, r, context, grad_h, grad_r, grad_context, stream};
  const bool plain_level = scalar_level();
  parallel_for(0, n, kCells, [&](std::size_t begin, std::size_t end) {
    plain_level ? scan::two_point_backward_reference(b, begin, end) : HWY_DYNAMIC_DISPATCH(backward)(b, begin, end);
    if (b.stream) hwy::FlushStream();
  });
}

void tanh_forward(const float* x, std::size_t n, float* y) noexcept {
  const bool plain_level = scalar_level();
  parallel_for(0, n, kCells, [&](std::size_t begin, std::size_t end) {
    if (!plain_level) return HWY_DYNAMIC_DISPATCH(tanh_row)(x, y, begin, end);
    for (std::size_t i = begin; i < end; ++i) y[i] = plain::tanh(x[i]);
  });
}

void tanh_backward(const float* y, const float* grad_y, std::size_t n, float* grad_x) noexcept {
  const bool plain_level = scalar_level();
  parallel_for(0, n, kCells, [&](std::size_t begin, std::size_t end) {
    if (!plain_level) return HWY_DYNAMIC_DISPATCH(tanh_back_row)(y, grad_y, grad_x, begin, end);
    for (std::size_t i = begin; i < end; ++i) grad_x[i] = grad_y[i] * plain::tanh_slope(y[i]);
  });
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
