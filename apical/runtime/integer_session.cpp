#include "apical/runtime/integer_session.h"

#include <algorithm>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_linear.h"
#include "apical/kernels/event_pool.h"
#include "apical/kernels/int_values.h"
#include "apical/runtime/integer_program.h"
#include "apical/runtime/stepping.h"

namespace apical::runtime {
namespace {

/// The memory of one slot, in the session's block. Empty where there is none.
struct Buffer {
  std::span<std::int32_t> values;
  std::span<std::int16_t> narrow;
  std::span<std::uint64_t> bits;
  std::span<std::uint32_t> list;  // the first `count` are set
  std::span<std::int16_t> factors;
  std::span<std::uint32_t> starts;
  std::span<std::int16_t> membranes;
  std::span<std::int64_t> kept;
  std::size_t count = 0;
  bool ones = true;  // every element listed counts 1; else factors
};

template <class Join>
void pool(const kernels::Pool2d& s, const std::int32_t* x, std::int32_t* y, const Join& join) {
  for (std::size_t oy = 0; oy < s.out_height(); ++oy)
    for (std::size_t ox = 0; ox < s.out_width(); ++ox, y += s.channels)
      for (std::size_t k = 0; k < s.kernel_h * s.kernel_w; ++k) {
        const std::int32_t* from = x + ((oy * s.stride_h + k / s.kernel_w) * s.width + ox * s.stride_w + k % s.kernel_w) * s.channels;
        for (std::size_t c = 0; c < s.channels; ++c) y[c] = k == 0 ? from[c] : join(y[c], from[c]);
      }
}

}  // namespace

struct IntegerSession::Impl {
  std::shared_ptr<const IntegerProgram> program;
  MemoryBlock memory;
  std::vector<Buffer> buffers;
  std::vector<std::size_t> source;  // of each slot: whose buffer holds its output (a flatten has none of its own)
  std::span<float> frame, ordered, listed, output;
  std::span<std::int32_t> reordered;
  SpikeRecorder recorder;
  int steps = 0;
  bool have_frame = false;

  explicit Impl(std::shared_ptr<const IntegerProgram> p) : program(std::move(p)), memory(program->memory), recorder(*program) {
    const auto& slots = program->slots;
    buffers.resize(slots.size()), source.resize(slots.size());
    std::size_t most = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const IntegerSlot& s = slots[i];
      most = std::max(most, s.n);
      source[i] = program->source(i);
      Buffer& b = buffers[i];
      if (s.narrow)
        b.narrow = memory.at<std::int16_t>(s.values_at, s.row() * s.shares);
      else
        b.values = memory.at<std::int32_t>(s.values_at, s.by_rows ? s.row() * s.shares : s.n);
      b.bits = memory.at<std::uint64_t>(s.bits_at, kernels::words_per_row(s.n));
      b.list = memory.at<std::uint32_t>(s.list_at, s.list_size), b.factors = memory.at<std::int16_t>(s.factors_at, s.n);
      b.starts = memory.at<std::uint32_t>(s.starts_at, 1);  // as many as its input has pixels, and one
      if (s.kind == Kind::neuron) b.membranes = memory.at<std::int16_t>(s.kept_at, s.n);
      if (s.kind == Kind::readout) b.kept = memory.at<std::int64_t>(s.kept_at, s.n);
    }
    frame = memory.at<float>(program->frame_at, program->frame_size), ordered = memory.at<float>(program->ordered_at, program->frame_size);
    listed = memory.at<float>(program->listed_at, program->frame_size);
    output = memory.at<float>(program->output_at, slots.back().n), reordered = memory.at<std::int32_t>(program->reordered_at, most);
  }

  const IntegerSlot& slot(std::size_t i) const { return program->slots[i]; }
  Buffer& of(std::size_t i) { return buffers[source[i]]; }

  void step(std::span<const float> next) {
    const bool same = same_frame(frame, next, have_frame);
    for (std::size_t i = 0; i < program->slots.size(); ++i) {
      const IntegerSlot& s = slot(i);
      if ((!s.changing && same) || s.kind == Kind::flatten) continue;
      compute(s, buffers[i]);
      finish(i, s, buffers[i]);
    }
    ++steps;
    write_output();
  }

  void write_output() {
    const std::size_t i = program->slots.size() - 1;
    const IntegerSlot& s = slot(i);
    const bool rate = s.kind == Kind::readout && s.readout == graph::ReadoutKind::rate;
    for (std::size_t k = 0; k < s.n; ++k) {
      const double q = s.kind == Kind::readout ? static_cast<double>(buffers[i].kept[k]) : of(i).values[k];
      output[s.order.empty() ? k : s.order[k]] = static_cast<float>(rate ? q * s.unit / steps : q * s.unit);
    }
  }

  void compute(const IntegerSlot& s, Buffer& b) {
    const Buffer* in = s.inputs.empty() ? nullptr : &of(s.inputs[0]);
    switch (s.kind) {
      case Kind::input:
        for (std::size_t k = 0; k < s.order.size(); ++k) ordered[k] = frame[s.order[k]];
        quantise(s.order.empty() ? frame.data() : ordered.data(), s, b);
        break;
      case Kind::conv:
      case Kind::linear:
        if (s.kind == Kind::conv) kernels::find_starts(s.conv, in->list.data(), in->count, b.starts.data());
        if (!s.by_rows) product(s, 0, s.conv.out_height(), b, s.bias, b.values);
        break;
      case Kind::avg_pool:
        if (s.form == Form::sums)
          b.count = kernels::sum_pool_spikes(s.pool, in->list.data(), in->count, b.starts.data(), b.list.data());
        else
          pool(s.pool, in->values.data(), b.values.data(), [](std::int32_t x, std::int32_t y) { return x + y; });
        break;
      case Kind::max_pool:
        if (s.form == Form::spikes)
          kernels::max_pool_spikes(s.pool, in->bits.data(), in->list.data(), in->count, b.bits.data());
        else
          pool(s.pool, in->values.data(), b.values.data(), [](std::int32_t x, std::int32_t y) { return std::max(x, y); });
        break;
      case Kind::neuron:
        neurons(s, slot(s.inputs[0]), of(s.inputs[0]), b);
        break;
      case Kind::add:
        add(s, b.values);
        break;
      case Kind::readout:
        for (std::size_t k = 0; k < s.n; ++k) {
          const std::int64_t x = in->values[k];
          if (steps == 0 || s.readout == graph::ReadoutKind::last)
            b.kept[k] = x;
          else
            b.kept[k] = s.readout == graph::ReadoutKind::rate ? b.kept[k] + x : std::max(b.kept[k], x);
        }
        break;
      case Kind::affine:  // there is none, nor are there streams or two-point cells
      case Kind::slice:
      case Kind::concat:
      case Kind::tanh:
      case Kind::two_point:
      case Kind::spiking_neuron:
      case Kind::sliding_neuron:
      case Kind::attention:
      case Kind::flatten:
        break;
    }
  }

  // A list is made of what is not 0 before it is quantised: a frame of spikes has few of those.
  void quantise(const float* x, const IntegerSlot& s, Buffer& b) {
    if (s.wants_list) {
      const std::size_t n = kernels::nonzero_list(x, s.n, b.list.data(), listed.data(), b.ones);
      kernels::quantise_values(listed.data(), n, program->input_scale, b.values.data());
      b.count = 0, b.ones = true;
      for (std::size_t e = 0; e < n; ++e)
        if (const std::int32_t q = b.values[e]; q != 0) b.list[b.count] = b.list[e], b.factors[b.count++] = static_cast<std::int16_t>(q), b.ones &= q == 1;
    }
    if (s.wants_values) kernels::quantise_values(x, s.n, program->input_scale, b.values.data());
  }

  // Rows of the output of a weight layer.
  template <class T>
  void product(const IntegerSlot& s, std::size_t first_y, std::size_t last_y, Buffer& b, const std::vector<T>& bias, std::span<T> y) {
    const Buffer& in = of(s.inputs[0]);
    kernels::event_conv_int8(s.conv, s.weight.data(), bias.empty() ? nullptr : bias.data(), in.list.data(), in.ones ? nullptr : in.factors.data(),
                             in.count, b.starts.data(), first_y, last_y, y.data());
  }

  void neurons(const IntegerSlot& s, const IntegerSlot& from, Buffer& in, Buffer& b) {
    const auto fire = [&](std::size_t at, std::size_t n, const auto* current) {
      kernels::integer_lif_step(s.lif, s.leak.empty() ? nullptr : s.leak.data() + at, current, n, b.membranes.data() + at, b.bits.data() + at / 64);
    };
    if (!from.by_rows) return fire(0, s.n, in.values.data());
    const auto rows = static_cast<std::size_t>(from.height), row = from.row();
    const std::size_t work = of(from.inputs[0]).count * from.conv.reach() / rows + 1, least = (rows + from.shares - 1) / from.shares;
    const std::size_t share = std::max(least, kernels::large_layer / work + 1);
    parallel_for(0, rows, share, [&](std::size_t first, std::size_t last) {
      const std::size_t buffer = first / share * row;
      for (std::size_t y = first; y < last; ++y) {
        if (from.narrow) {
          product(from, y, y + 1, in, from.narrow_bias, in.narrow.subspan(buffer, row));
          fire(y * row, row, in.narrow.data() + buffer);
        } else {
          product(from, y, y + 1, in, from.bias, in.values.subspan(buffer, row));
          fire(y * row, row, in.values.data() + buffer);
        }
      }
    });
  }

  // Inputs of another order (a flattened image beside a linear layer) are brought to that of the first.
  void add(const IntegerSlot& s, std::span<std::int32_t> y) {
    std::fill(y.begin(), y.end(), 0);
    for (std::size_t i = 0; i < s.inputs.size(); ++i) {
      const auto& from = slot(s.inputs[i]).order;
      const std::int32_t *x = of(s.inputs[i]).values.data(), factor = 1 << s.shifts[i];
      if (from == s.order) {
        for (std::size_t k = 0; k < s.n; ++k) y[k] += x[k] * factor;
        continue;
      }
      for (std::size_t k = 0; k < s.n; ++k) reordered[from.empty() ? k : from[k]] = x[k];
      for (std::size_t k = 0; k < s.n; ++k) y[k] += reordered[s.order.empty() ? k : s.order[k]] * factor;
    }
  }

  // The other forms of the output that its readers want.
  void finish(std::size_t i, const IntegerSlot& s, Buffer& b) {
    if (s.form == Form::spikes) {
      if (s.wants_list || s.wants_values) {
        if (s.wants_list) b.count = kernels::bits_to_list(b.bits.data(), s.n, b.list.data());
        for (std::size_t k = 0; k < (s.wants_values ? s.n : 0); ++k) b.values[k] = static_cast<std::int32_t>(b.bits[k / 64] >> (k % 64) & 1);
      }
    } else if (s.form == Form::sums) {
      if (s.wants_values) {
        std::fill(b.values.begin(), b.values.end(), 0);
        for (std::size_t e = 0; e < b.count; ++e) ++b.values[b.list[e]];
      }
    } else if (s.wants_list && s.kind != Kind::input) {
      kernels::nonzero_bits(b.values.data(), s.n, b.bits.data());
      b.count = kernels::bits_to_list(b.bits.data(), s.n, b.list.data());
      b.ones = true;
      for (std::size_t e = 0; e < b.count; ++e) b.factors[e] = static_cast<std::int16_t>(b.values[b.list[e]]), b.ones &= b.factors[e] == 1;
    }
    if (s.kind == Kind::neuron) recorder.add(i, s, b.bits, b.list.first(b.count));
  }

  void reset() {
    for (Buffer& b : buffers) std::fill(b.membranes.begin(), b.membranes.end(), 0), std::fill(b.kept.begin(), b.kept.end(), 0);
    steps = 0, have_frame = false;
    recorder.clear();
  }

  // Calls visit(place in IntegerState::values, buffer, element, whether it is a membrane).
  template <class Visit>
  void each_state(const Visit& visit) {
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const IntegerSlot& s = slot(i);
      if (s.kind != Kind::neuron && s.kind != Kind::readout) continue;
      for (std::size_t k = 0; k < s.n; ++k) visit(s.state_at + (s.order.empty() ? k : s.order[k]), buffers[i], k, s.kind == Kind::neuron);
    }
  }
};

IntegerSession::IntegerSession(const graph::IntegerNetwork& network, const Options& options) : IntegerSession(prepare(network, options)) {}
IntegerSession::IntegerSession(std::shared_ptr<const IntegerProgram> program) : impl_(std::make_unique<Impl>(std::move(program))) {}
IntegerSession::~IntegerSession() = default;
IntegerSession::IntegerSession(IntegerSession&&) noexcept = default;
IntegerSession& IntegerSession::operator=(IntegerSession&&) noexcept = default;

void IntegerSession::reset() { impl_->reset(); }

std::span<const float> IntegerSession::step(std::span<const float> frame) {
  check_frame(impl_->program->frame_size, frame.size());
  impl_->step(frame);
  return impl_->output;
}

Result IntegerSession::run(std::span<const float> frames) {
  return run_frames(*impl_, impl_->program->frame_size, frames);
}

std::span<const float> IntegerSession::scores() const noexcept { return impl_->output; }
int IntegerSession::steps() const noexcept { return impl_->steps; }
const std::vector<SpikeRecord>& IntegerSession::spikes() const noexcept { return impl_->recorder.records(); }

IntegerState IntegerSession::state() const {
  IntegerState s{std::vector<std::int64_t>(impl_->program->state_size), impl_->steps};
  impl_->each_state([&](std::size_t at, const Buffer& b, std::size_t k, bool membrane) { s.values[at] = membrane ? b.membranes[k] : b.kept[k]; });
  return s;
}

void IntegerSession::set_state(const IntegerState& state) {
  check_state(impl_->program->state_size, state.values.size(), state.steps);
  impl_->each_state([&](std::size_t at, const Buffer&, std::size_t, bool membrane) {
    // Readouts: sums of 2^31 steps of 30 bits at most.
    const std::int64_t limit = membrane ? kernels::integer_limit : std::int64_t{1} << 61;
    if (state.values[at] < -limit || state.values[at] > limit) throw usage_error("value " + std::to_string(at) + " of the state is beyond its limit");
  });
  impl_->each_state([&](std::size_t at, Buffer& b, std::size_t k, bool membrane) {
    if (membrane)
      b.membranes[k] = static_cast<std::int16_t>(state.values[at]);
    else
      b.kept[k] = state.values[at];
  });
  impl_->steps = state.steps, impl_->have_frame = false;
}

}  // namespace apical::runtime
