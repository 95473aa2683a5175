#pragma once
// Private to the runtime: what the layouts for floats (program.h) and for integers (integer_program.h) have in common. Everything is channel
// last: element (c, y, x) of [C, H, W] lies at (y * W + x) * C + c, so that the outputs one event reaches are neighbours.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "apical/base/lines.h"
#include "apical/graph/graph.h"
#include "apical/kernels/event_conv.h"
#include "apical/kernels/event_pool.h"
#include "apical/runtime/session.h"

namespace apical::runtime {

enum class Kind : std::uint8_t {
  input, conv, linear, avg_pool, max_pool, flatten, affine, neuron, add, readout, slice, concat, tanh, two_point, spiking_neuron, sliding_neuron,
  attention
};

/// Graph index of each channel-last element of [C, H, W]; empty when the two orders are the same.
std::vector<std::uint32_t> channel_last(const graph::Shape& shape);

/// The memory of a session, laid out when a program is made: buffers one behind the other in one block, each at its own cache lines.
/// None is used twice: a step may need any output of the step before (NodeSlot::changing).
class MemoryPlan {
 public:
  /// Offset in bytes of a new buffer of n T's; `none` for no elements.
  template <class T>
  std::size_t take(std::size_t n) {
    static_assert(alignof(T) <= cache_line);
    if (n == 0) return none;
    const std::size_t at = bytes_;
    bytes_ += (n * sizeof(T) + cache_line - 1) / cache_line * cache_line;
    return at;
  }
  std::size_t bytes() const noexcept { return bytes_; }
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

 private:
  std::size_t bytes_ = 0;
};

/// All that a session writes, as the plan lays it out.
class MemoryBlock {
 public:
  explicit MemoryBlock(const MemoryPlan& plan) : bytes_(plan.bytes()) {}
  template <class T>
  std::span<T> at(std::size_t offset, std::size_t n) noexcept {
    if (offset == MemoryPlan::none) return {};
    return {reinterpret_cast<T*>(bytes_.data() + offset), n};
  }

 private:
  Lines<std::byte> bytes_;
};

/// A node among others, whatever it computes with.
struct NodeSlot {
  std::string name;
  Kind kind{};
  std::vector<std::size_t> inputs;
  std::size_t n = 0;                        // elements of the output
  int channels = 1, height = 1, width = 1;  // of the output; [N] is N channels of one pixel
  bool fires = false, counts = false;       // graph::is_neuron, graph::sends_counts
  bool changing = true;                     // differs from step to step even when the frame does not
  std::vector<std::uint32_t> order;         // graph index of each element; empty: the same
  kernels::Pool2d pool;
  graph::ReadoutKind readout{};
  std::size_t state_at = 0, state_rows = 0;  // first element in the state; it is [state_rows, n]
};

template <class S>
struct ProgramOf {
  Options options;
  std::vector<S> slots;
  std::size_t state_size = 0;
  int T = 1;
  std::size_t frame_size = 0;
  MemoryPlan memory;

  /// The slot whose buffer holds the output of slot i: a flatten has none of its own.
  std::size_t source(std::size_t i) const {
    while (slots[i].kind == Kind::flatten) i = slots[i].inputs[0];
    return i;
  }
};

/// Fills what a slot is by its node alone; `slots` are those before it, `index` their places by name.
template <class S>
void place(const graph::Node& node, const std::unordered_map<std::string, std::size_t>& index, const std::vector<S>& slots, S& slot) {
  slot.name = node.name, slot.kind = static_cast<Kind>(node.op.index()), slot.n = static_cast<std::size_t>(graph::elements(node.shape));
  slot.channels = static_cast<int>(node.shape[0]);
  if (node.shape.size() == 3) slot.height = static_cast<int>(node.shape[1]), slot.width = static_cast<int>(node.shape[2]);
  for (const auto& name : node.inputs) slot.inputs.push_back(index.at(name));
  slot.fires = graph::is_neuron(node.op), slot.counts = graph::sends_counts(node.op);
  slot.changing = slot.fires || slot.kind == Kind::readout;
  for (const auto i : slot.inputs) slot.changing |= slots[i].changing;
  slot.order = node.shape.size() == 3 || slot.inputs.empty() ? channel_last(node.shape) : slots[slot.inputs[0]].order;
}

/// The shape of a convolution from `in` to `out`; `weight` [O, I / groups, KH, KW].
kernels::Conv2d conv_shape(const graph::Conv2d& op, const graph::Shape& weight, const NodeSlot& in, const NodeSlot& out);
/// The shape of a pool of what `in` gives.
kernels::Pool2d pool_shape(int kernel, int stride, const NodeSlot& in);

/// Weights [O, I] of a dense layer with the inputs in the order of `in`.
template <class T>
std::vector<T> in_order_of(const NodeSlot& in, std::span<const T> weight) {
  std::vector<T> ordered(weight.begin(), weight.end());
  for (std::size_t row = 0; row < weight.size() && !in.order.empty(); row += in.n)
    for (std::size_t i = 0; i < in.n; ++i) ordered[row + i] = weight[row + in.order[i]];
  return ordered;
}

}  // namespace apical::runtime
