// Spike bits and lists, products and convolutions driven by spikes, pools. Weights are 1, so that the sums of a layer count the synaptic
// operations it did: additions, a weight read for each.
#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "apical/kernels/bit_attention.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_conv.h"
#include "apical/kernels/event_int8.h"
#include "apical/kernels/event_linear.h"
#include "apical/kernels/event_matmul.h"
#include "apical/kernels/int_values.h"
#include "apical/kernels/pool.h"
#include "bench/micro/micro.h"

namespace apical::bench {
namespace {

using namespace kernels;

constexpr float density = 0.05f;

struct Spikes {
  std::size_t rows, n;
  std::vector<float> x;
  std::vector<std::uint64_t> bits;
  std::vector<std::uint32_t> list;  // of the first row
  std::size_t count;
  Spikes(std::size_t rows_, std::size_t n_) : rows(rows_), n(n_), x(rows * n), bits(rows * words_per_row(n)), list(n) {
    Random random(1, 4);
    for (float& a : x) a = random.uniform() < density ? 1.0f : 0.0f;
    pack_bits(x.data(), rows, n, bits.data());
    count = bits_to_list(bits.data(), n, list.data());
  }
};

template <class T>
double sum(const std::vector<T>& y) {
  return std::accumulate(y.begin(), y.end(), 0.0);
}

void add_bits() {
  constexpr std::size_t rows = 1024, n = 4096;
  constexpr double values = rows * n;
  add("pack_bits/4Mi", Threads::all, [=] {
    auto a = std::make_shared<Spikes>(rows, n);
    return Case{{values, 4 * values, values / 8, values}, [=] { pack_bits(a->x.data(), rows, n, a->bits.data()); }};
  });
  add("unpack_bits/4Mi", Threads::one, [=] {
    auto a = std::make_shared<Spikes>(rows, n);
    return Case{{values, values / 8, 4 * values, values}, [=] { unpack_bits(a->bits.data(), rows, n, a->x.data()); }};
  });
  add("count_bits/4Mi", Threads::one, [=] {
    auto a = std::make_shared<Spikes>(rows, n);
    return Case{{values, values / 8, 0, values / 32}, [=] { count_bits(a->bits.data(), rows, n); }};
  });
  add("transpose_bits/4Mi", Threads::one, [=] {
    auto a = std::make_shared<Spikes>(rows, n);
    auto out = std::make_shared<std::vector<std::uint64_t>>(n * words_per_row(rows));
    return Case{{values, values / 8, values / 8, 6 * values / 32}, [=] { transpose_bits(a->bits.data(), rows, n, out->data()); }};
  });
  add("bits_to_list/4096", Threads::one, [=] {
    auto a = std::make_shared<Spikes>(1, n);
    const double count = static_cast<double>(a->count);
    return Case{{n, n / 8, 4 * count, count}, [=] { bits_to_list(a->bits.data(), n, a->list.data()); }};
  });
  add("nonzero_list/4096", Threads::one, [=] {
    auto x = std::make_shared<std::vector<float>>(noise(n, 6));
    for (std::size_t i = 0; i < n; i += 2) (*x)[i] = 0;
    auto index = std::make_shared<std::vector<std::uint32_t>>(n);
    auto value = std::make_shared<std::vector<float>>(n);
    return Case{{n, 4 * n, 4 * n, 4 * n}, [=] {
                  bool ones;
                  nonzero_list(x->data(), n, index->data(), value->data(), ones);
                }};
  });
  add("list_to_bits/4096", Threads::one, [=] {
    auto a = std::make_shared<Spikes>(1, n);
    const double count = static_cast<double>(a->count);
    return Case{{n, 4 * count, n / 8, count}, [=] { list_to_bits(a->list.data(), a->count, n, a->bits.data()); }};
  });
  add("quantise_values/4096", Threads::one, [=] {
    auto x = std::make_shared<std::vector<float>>(noise(n, 5));
    auto q = std::make_shared<std::vector<std::int32_t>>(n);
    return Case{{n, 4 * n, 4 * n, 5 * n}, [=] { quantise_values(x->data(), n, 32, q->data()); }};
  });
}

template <class Weight>
void add_linear(const std::string& name, std::size_t outputs, std::size_t inputs) {
  add(name + "/" + std::to_string(inputs) + "x" + std::to_string(outputs), Threads::one, [=] {
    auto s = std::make_shared<Spikes>(1, inputs);
    auto rows = std::make_shared<std::vector<Weight>>(inputs * (sizeof(Weight) == 4 ? linear_stride(outputs) : pair_row(outputs)));
    prepare_linear(std::vector<float>(outputs * inputs, 1).data(), outputs, inputs, rows->data());
    auto y = std::make_shared<std::vector<float>>(outputs);
    const double synops = static_cast<double>(s->count * outputs);
    return Case{{synops, sizeof(Weight) * synops, 4.0 * static_cast<double>(outputs), synops},
                [=] { event_linear(rows->data(), outputs, s->list.data(), nullptr, s->count, y->data()); }};
  });
}

// A layer of two-point cells: the list of what is not 0 and the product, beside the dense product. 784 inputs, 128 outputs.
void add_graded_linear() {
  constexpr std::size_t inputs = 784, outputs = 128;
  for (const auto& [event, percent] : {std::pair{true, 25}, {true, 50}, {true, 70}, {true, 90}, {true, 100}, {false, 100}}) {
    add(event ? "graded_linear_" + std::to_string(percent) + "%/784x128" : "dense_linear/784x128", Threads::one, [=] {
      auto rows = std::make_shared<std::vector<float>>(inputs * linear_stride(outputs), 1.0f);
      auto x = std::make_shared<std::vector<float>>(noise(inputs, 7));
      Random random(3, "graded");
      for (float& v : *x) v = random.below(100) < static_cast<std::uint32_t>(percent) ? v : 0;
      auto index = std::make_shared<std::vector<std::uint32_t>>(inputs);
      auto value = std::make_shared<std::vector<float>>(inputs);
      auto y = std::make_shared<std::vector<float>>(outputs);
      const double products = static_cast<double>(inputs * outputs) * percent / 100;
      return Case{{products, 4 * products, 4.0 * outputs, 2 * products}, [=] {
                    if (!event) return dense_linear(rows->data(), outputs, inputs, x->data(), y->data());
                    bool ones;
                    const std::size_t count = nonzero_list(x->data(), inputs, index->data(), value->data(), ones);
                    event_linear(rows->data(), outputs, index->data(), value->data(), count, y->data());
                  }};
    });
  }
}

void add_matmul(std::size_t batch, std::size_t outputs, std::size_t inputs) {
  add("event_matmul/" + std::to_string(batch) + "x" + std::to_string(inputs) + "x" + std::to_string(outputs), Threads::all, [=] {
    auto s = std::make_shared<Spikes>(batch, inputs);
    auto panels = std::make_shared<std::vector<float>>(matmul_floats(outputs, inputs));
    prepare_event_matmul(std::vector<float>(outputs * inputs, 1).data(), outputs, inputs, panels->data());
    auto y = std::make_shared<std::vector<float>>(batch * outputs);
    const double synops = static_cast<double>(count_bits(s->bits.data(), batch, inputs) * outputs);
    return Case{{synops, 4 * synops, 4.0 * static_cast<double>(y->size()), synops, 4.0 * static_cast<double>(kPanel * inputs)},
                [=] { event_matmul(panels->data(), outputs, inputs, s->bits.data(), batch, y->data()); }};
  });
}

// dW of `rows` rows of spikes: an addition, and a gradient read, for each spike and output.
void add_matmul_gradient(std::size_t rows, std::size_t outputs, std::size_t inputs) {
  add("event_matmul_gradient/" + std::to_string(rows) + "x" + std::to_string(inputs) + "x" + std::to_string(outputs), Threads::all, [=] {
    auto s = std::make_shared<Spikes>(rows, inputs);
    auto grad_y = std::make_shared<std::vector<float>>(noise(rows * outputs, 9));
    auto grad = std::make_shared<std::vector<float>>(outputs * inputs);
    const double synops = static_cast<double>(count_bits(s->bits.data(), rows, inputs) * outputs);
    return Case{{synops, 4 * synops, 4.0 * static_cast<double>(grad->size()), synops, 4.0 * static_cast<double>(kPanel * rows)},
                [=] { event_matmul_gradient(grad_y->data(), outputs, s->bits.data(), inputs, rows, grad->data()); }};
  });
}

// Attention of a Spikformer: pairs of features and tokens counted 32 at a time, one operation for an AND and one for the count.
void add_attention() {
  const AttentionShape shape{.batch = 16, .heads = 8, .tokens = 64, .width = 48};
  const double features = static_cast<double>(shape.heads * shape.width), tokens = static_cast<double>(shape.batch * shape.tokens);
  add("bit_attention/16x8x64x48", Threads::all, [=] {
    const std::size_t n = shape.heads * shape.width, rows = shape.batch * shape.tokens;
    auto s = std::make_shared<Spikes>(3 * rows, n);
    auto out = std::make_shared<std::vector<std::int32_t>>(rows * n);
    const std::size_t stride = 64 * words_per_row(n), words = rows * words_per_row(n);
    const double pairs = tokens * features * static_cast<double>(shape.width);  // of K^T V, and as many of Q with it
    return Case{{2 * pairs, 3 * tokens * features / 8, 4 * tokens * features, pairs / 16 + pairs * density}, [=] {
                  bit_attention(shape, {s->bits.data(), stride}, {s->bits.data() + words, stride}, {s->bits.data() + 2 * words, stride}, out->data());
                }};
  });
}

// The layer with int8 weights, sums in `Sum`; graded: a factor each event.
template <class Sum>
void add_int8(const std::string& name, const Conv2d& shape, bool graded = false) {
  add(name, Threads::one, [=] {
    auto s = std::make_shared<Spikes>(1, shape.inputs());
    auto weights = std::make_shared<std::vector<std::uint8_t>>(shape.narrow_weights());
    const std::size_t each = shape.kernel_h * shape.kernel_w * shape.in_channels / shape.groups * shape.out_channels;
    prepare_int8(shape, std::vector<std::int8_t>(each, 1).data(), weights->data());
    auto starts = std::make_shared<std::vector<std::uint32_t>>(shape.height * shape.width + 1);
    auto y = std::make_shared<std::vector<Sum>>(shape.outputs());
    auto values = std::make_shared<std::vector<std::int16_t>>(s->count, std::int16_t{1});
    const auto run = [=] {
      find_starts(shape, s->list.data(), s->count, starts->data());
      event_conv_int8(shape, weights->data(), nullptr, s->list.data(), graded ? values->data() : nullptr, s->count, starts->data(), 0,
                      shape.out_height(), y->data());
    };
    run();
    const double synops = sum(*y), written = static_cast<double>(sizeof(Sum) * y->size());
    return Case{{synops, synops, written, synops / 2, std::min(synops, static_cast<double>(weights->size())) + written}, run};
  });
}

template <class Weight>
void add_conv(const std::string& name, const Conv2d& shape) {
  add(name, Threads::one, [=] {
    auto s = std::make_shared<Spikes>(1, shape.inputs());
    auto weights = std::make_shared<std::vector<Weight>>(sizeof(Weight) == 4 ? shape.weights() : shape.narrow_weights());
    const std::size_t each = shape.kernel_h * shape.kernel_w * shape.in_channels / shape.groups * shape.out_channels;
    prepare_conv(shape, std::vector<float>(each, 1).data(), weights->data());
    auto starts = std::make_shared<std::vector<std::uint32_t>>(shape.height * shape.width + 1);
    auto y = std::make_shared<std::vector<float>>(shape.outputs());
    const auto run = [=] { event_conv(shape, weights->data(), nullptr, s->list.data(), nullptr, s->count, starts->data(), y->data()); };
    run();
    const double synops = sum(*y), bytes = sizeof(Weight), written = 4.0 * static_cast<double>(y->size());
    return Case{{synops, bytes * synops, written, synops, bytes * static_cast<double>(weights->size()) + written}, run};
  });
}

// Pools of 2 x 2 over 32 x 32 x 128 neurons.
const Pool2d pool{128, 32, 32};

void add_event_pools() {
  const auto add_pool = [](const std::string& name, double written, auto run) {  // run(spikes, bits, values, indices)
    add(name, Threads::one, [=] {
      auto s = std::make_shared<Spikes>(1, pool.channels * pool.height * pool.width);
      auto bits = std::make_shared<std::vector<std::uint64_t>>(words_per_row(pool.outputs()));
      auto y = std::make_shared<std::vector<float>>(pool.outputs());
      auto sums = std::make_shared<std::vector<std::uint32_t>>(pool.outputs() * 4 + pool.height * pool.width + 1);
      const double count = static_cast<double>(s->count);
      return Case{{count, 4 * count, written > 0 ? written : 4 * count, count}, [=] { run(*s, bits->data(), y->data(), sums->data()); }};
    });
  };
  const double outputs = static_cast<double>(pool.outputs());
  using Words = std::uint64_t*;
  using Indices = std::uint32_t*;
  add_pool("event_max_pool", outputs / 8, [](const Spikes& s, Words bits, float*, Indices) { event_max_pool(pool, s.list.data(), s.count, bits); });
  add_pool("max_pool_spikes", outputs / 8,
           [](const Spikes& s, Words bits, float*, Indices) { max_pool_spikes(pool, s.bits.data(), s.list.data(), s.count, bits); });
  add_pool("sum_pool_spikes", 0, [](const Spikes& s, Words, float*, Indices sums) {
    sum_pool_spikes(pool, s.list.data(), s.count, sums, sums + pool.height * pool.width + 1);
  });
  add_pool("event_average_pool", 4 * outputs,
           [](const Spikes& s, Words, float* y, Indices) { event_average_pool(pool, s.list.data(), nullptr, s.count, y); });
}

// Of whole images, channel last.
void add_image_pools() {
  constexpr std::size_t batch = 16;
  const std::size_t in = batch * pool.channels * pool.height * pool.width, out = batch * pool.outputs();
  const double x = static_cast<double>(in), y = static_cast<double>(out);
  const auto add_pool = [=](const std::string& name, double read, double written, auto run) {  // run(large, small, bits)
    add(name, Threads::all, [=] {
      auto a = std::make_shared<std::vector<float>>(noise(in, 6)), b = std::make_shared<std::vector<float>>(noise(out, 7));
      auto bits = std::make_shared<std::vector<std::uint64_t>>(words_per_row(in), 0x0080000400200001u);
      return Case{{x, read, written, x}, [=] { run(a->data(), b->data(), bits->data()); }};
    });
  };
  add_pool("average_pool/16", 4 * x, 4 * y, [](float* a, float* b, std::uint64_t*) { average_pool(pool, batch, a, b); });
  add_pool("average_pool_bits/16", x / 8, 4 * y, [](float*, float* b, std::uint64_t* bits) { average_pool_bits(pool, 1, batch, bits, b); });
  add_pool("average_pool_backward/16", 4 * y, 4 * x, [](float* a, float* b, std::uint64_t*) { average_pool_backward(pool, batch, b, a); });
  add_pool("max_pool/16", 4 * x, 4 * y, [](float* a, float* b, std::uint64_t*) { max_pool(pool, batch, a, b); });
}

}  // namespace

void add_events() {
  add_bits();
  add_graded_linear();
  for (const auto& [outputs, inputs] : {std::pair<std::size_t, std::size_t>{1024, 1024}, {800, 2312}}) {
    add_linear<float>("event_linear", outputs, inputs);
    add_linear<Bfloat16>("event_linear_bfloat16", outputs, inputs);
    add_matmul(128, outputs, inputs);
  }
  add_matmul_gradient(2048, 1024, 1024);
  add_attention();
  add_int8<std::int32_t>("event_linear_int8/1024x1024", linear_shape(1024, 1024));
  add_int8<std::int16_t>("event_linear_int16/1024x1024", linear_shape(1024, 1024));
  add_int8<std::int32_t>("event_linear_int8_graded/1024x1024", linear_shape(1024, 1024), true);
  const Conv2d conv{.in_channels = 128, .out_channels = 128, .height = 32, .width = 32, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};
  add_conv<float>("event_conv/3x3/32x32x128", conv);
  add_conv<Bfloat16>("event_conv_bfloat16/3x3/32x32x128", conv);
  add_int8<std::int32_t>("event_conv_int8/3x3/32x32x128", conv);
  add_int8<std::int16_t>("event_conv_int16/3x3/32x32x128", conv);
  add_event_pools();
  add_image_pools();
}

}  // namespace apical::bench
