#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/ei_walk.cpp"
#include "apical/kernels/circuit/ei_walk.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/circuit/ei_rows.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/simd_ops-inl.h"
// before its user
#include "apical/kernels/circuit/ei_walk-inl.h"

#define APICAL_EI(T)                                                                                                                       \
  void steps_##T(const EiRows<T>& r, size_t trial, size_t from, size_t to, T* state, T* spikes, T* tape) {                                 \
    ei_steps<SimdOps<T>>(r, trial, from, to, state, spikes, tape);                                                                         \
  }                                                                                                                                        \
  void back_##T(const EiRows<T>& r, size_t trial, size_t from, size_t to, const T* state, const T* tape, const T* grad_spikes, T* adjoint, \
                T* grad_weights, T* work) {                                                                                                \
    ei_steps_back<SimdOps<T>>(r, trial, from, to, state, tape, grad_spikes, adjoint, grad_weights, work);                                  \
  }
APICAL_EI(float)
APICAL_EI(double)
#undef APICAL_EI

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
template <class T>
struct OneNumber : plain::Ops<T> {
  static T load(const T* p, std::size_t i) { return p[i]; }
  static void store(T v, T* p, std::size_t i) { p[i] = v; }
  static std::size_t lanes() { return 1; }
};
#include "apical/kernels/circuit/ei_walk-inl.h"
}  // namespace plain::detail
namespace {

HWY_EXPORT(steps_float);
HWY_EXPORT(steps_double);
HWY_EXPORT(back_float);
HWY_EXPORT(back_double);

template <class T>
void steps(const EiRows<T>& r, std::size_t trial, std::size_t from, std::size_t to, T* state, T* spikes, T* tape) {
  if (scalar_level())
    plain::detail::ei_steps<plain::detail::OneNumber<T>>(r, trial, from, to, state, spikes, tape);
  else if constexpr (sizeof(T) == sizeof(float))
    HWY_DYNAMIC_DISPATCH(steps_float)(r, trial, from, to, state, spikes, tape);
  else
    HWY_DYNAMIC_DISPATCH(steps_double)(r, trial, from, to, state, spikes, tape);
}

template <class T>
void steps_back(const EiRows<T>& r, std::size_t trial, std::size_t from, std::size_t to, const T* state, const T* tape,
                const T* grad_spikes, T* adjoint, T* grad_weights, T* work) {
  if (scalar_level())
    plain::detail::ei_steps_back<plain::detail::OneNumber<T>>(r, trial, from, to, state, tape, grad_spikes, adjoint, grad_weights, work);
  else if constexpr (sizeof(T) == sizeof(float))
    HWY_DYNAMIC_DISPATCH(back_float)(r, trial, from, to, state, tape, grad_spikes, adjoint, grad_weights, work);
  else
    HWY_DYNAMIC_DISPATCH(back_double)(r, trial, from, to, state, tape, grad_spikes, adjoint, grad_weights, work);
}

constexpr std::size_t kLine = 16;        // whole vectors of every target
constexpr std::size_t kTrialsATask = 8;  // that add to one sum of gradients

std::size_t padded(std::size_t n) { return (n + kLine - 1) / kLine * kLine; }
std::size_t strides(std::size_t steps) { return (steps + kEiStride - 1) / kEiStride; }

// EiRows and what they point to.
template <class T>
struct Rows : EiRows<T> {
  explicit Rows(const EiWalk<T>& a, bool backward)
      : EiRows<T>{a, padded(a.neurons), padded(a.excitatory), padded(a.neurons - a.excitatory), nullptr, nullptr, nullptr, nullptr},
        constants_(kEiConstants * this->row),
        weights_((a.inputs + a.neurons) * this->row) {
    for (const auto k : {ei_threshold, ei_threshold_start})  // a threshold of 1 mV that stays
      std::fill_n(constants_.begin() + static_cast<std::ptrdiff_t>(k * this->row), this->row, T{1});
    copy(a.constants, kEiConstants, constants_);
    copy(a.weights, a.inputs + a.neurons, weights_);
    this->constants = constants_.data(), this->weights = weights_.data();
    if (!backward) return;
    back_.resize(a.neurons * (this->ex_row + this->in_row));
    T *ex = back_.data(), *in = ex + a.neurons * this->ex_row;
    for (std::size_t j = 0; j < a.neurons; ++j)
      for (std::size_t i = 0; i < a.neurons; ++i)
        (j < a.excitatory ? ex[i * this->ex_row + j] : in[i * this->in_row + j - a.excitatory]) = a.weights[(a.inputs + j) * a.neurons + i];
    this->back_ex = ex, this->back_in = in;
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

 private:
  void copy(const T* from, std::size_t rows, std::vector<T>& to) const {
    for (std::size_t k = 0; k < rows; ++k)
      std::copy_n(from + k * this->a.neurons, this->a.neurons, to.begin() + static_cast<std::ptrdiff_t>(k * this->row));
  }
  std::vector<T> constants_, weights_, back_;
};

}  // namespace

template <class T>
std::size_t ei_kept_size(const EiWalk<T>& a) {
  return a.trials * strides(a.steps) * kEiStates * padded(a.neurons);
}

template <class T>
void ei_forward(const EiWalk<T>& a, T* spikes, T* kept) {
  const Rows<T> rows(a, false);
  const std::size_t size = kEiStates * rows.row;
  parallel_for(0, a.trials, kTrialsATask, [&](std::size_t begin, std::size_t end) {
    std::vector<T> state(size);
    for (std::size_t b = begin; b < end; ++b) {
      std::fill(state.begin(), state.end(), T{0});
      std::copy_n(rows.constants + ei_threshold_start * rows.row, rows.row, state.begin() + static_cast<std::ptrdiff_t>(ei_th * rows.row));
      for (std::size_t k = 0; k < strides(a.steps); ++k) {
        const std::size_t from = k * kEiStride, to = std::min(a.steps, from + kEiStride);
        if (kept) std::copy(state.begin(), state.end(), kept + (b * strides(a.steps) + k) * size);
        steps<T>(rows, b, from, to, state.data(), spikes + (from * a.trials + b) * a.neurons, nullptr);
      }
    }
  });
}

template <class T>
void ei_backward(const EiWalk<T>& a, const T* grad_spikes, const T* kept, T* grad_weights) {
  const Rows<T> rows(a, true);
  const std::size_t size = kEiStates * rows.row, sources = a.inputs + a.neurons, tasks = (a.trials + kTrialsATask - 1) / kTrialsATask;
  std::vector<T> sums(tasks * sources * rows.row);
  parallel_for(0, a.trials, kTrialsATask, [&](std::size_t begin, std::size_t end) {
    std::vector<T> state(size), adjoint(size), tape(kEiStride * kEiTape * rows.row), work(rows.row + rows.ex_row + rows.in_row);
    T* sum = sums.data() + begin / kTrialsATask * sources * rows.row;
    for (std::size_t b = begin; b < end; ++b) {
      std::fill(adjoint.begin(), adjoint.end(), T{0});
      for (std::size_t k = strides(a.steps); k-- > 0;) {
        const std::size_t from = k * kEiStride, to = std::min(a.steps, from + kEiStride);
        const T* start = kept + (b * strides(a.steps) + k) * size;
        std::copy_n(start, size, state.begin());
        steps<T>(rows, b, from, to, state.data(), nullptr, tape.data());
        steps_back<T>(rows, b, from, to, start, tape.data(), grad_spikes, adjoint.data(), sum, work.data());
      }
    }
  });
  for (std::size_t j = 0; j < sources; ++j)
    for (std::size_t i = 0; i < a.neurons; ++i) {
      T sum = 0;
      for (std::size_t task = 0; task < tasks; ++task) sum += sums[(task * sources + j) * rows.row + i];
      grad_weights[j * a.neurons + i] = sum;
    }
}

template std::size_t ei_kept_size(const EiWalk<float>&);
template std::size_t ei_kept_size(const EiWalk<double>&);
template void ei_forward(const EiWalk<float>&, float*, float*);
template void ei_forward(const EiWalk<double>&, double*, double*);
template void ei_backward(const EiWalk<float>&, const float*, const float*, float*);
template void ei_backward(const EiWalk<double>&, const double*, const double*, double*);

}  // namespace apical::kernels
#endif  // HWY_ONCE
