#include "apical/brain/engine_devices.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "apical/base/philox.h"

namespace apical::brain {

double CurrentDevice::at(std::int64_t step) const noexcept {
  if (!acts(step)) return 0;
  const auto next = std::upper_bound(from.begin(), from.end(), step);
  return next == from.begin() ? 0 : weight * values[static_cast<std::size_t>(next - from.begin() - 1)];
}

double Noise::scale(std::int64_t step) const noexcept {
  return std::sqrt(std::max(0.0, std * std + std_mod * std_mod * std::sin(omega * static_cast<double>(step + 1) + phase)));
}

namespace {

// pA that a device adds to each neuron of the slice in a step it acts in: functions of seed, device, interval and neuron. Box and Muller:
// the first 32 words of a row of 64 give the radii, the others the angles.
template <class T>
const double* drawn_noise(const Circuit& circuit, Part<T>& part, std::size_t device, const Slice& slice, std::int64_t step) {
  const CurrentDevice& d = circuit.current_devices[device];
  const std::int64_t interval = (step - d.start) / d.noise->every;
  auto& drawn = part.noise[device];
  if (drawn.interval == interval) return drawn.values.data();
  drawn.interval = interval;
  const std::size_t n = slice.padded();
  part.words.resize(std::max(part.words.size(), n)), drawn.values.resize(n);
  kernels::random_words(circuit.options.seed, d.noise->stream, static_cast<std::uint32_t>(interval), slice.begin / 64, n / 64,
                        part.words.data());
  const double scale = d.weight * d.noise->scale(d.start + interval * d.noise->every);
  for (std::size_t row = 0; row < n; row += 64)
    for (std::size_t i = row; i < row + 32; ++i) {
      const double radius = scale * std::sqrt(-2 * std::log((part.words[i] + 0.5) * 0x1p-32));
      const double angle = 2 * std::numbers::pi * 0x1p-32 * part.words[i + 32];
      drawn.values[i] = radius * std::cos(angle), drawn.values[i + 32] = radius * std::sin(angle);
    }
  return drawn.values.data();
}

// A variable that is no state, of the neurons of a slice.
template <class T>
void compute(const Circuit& circuit, Part<T>& part, std::size_t index, std::size_t which, std::vector<double>& out) {
  const Group& g = circuit.groups[index];
  const Slice& slice = part.slices[index];
  kernels::NeuronArrays<double> a{};
  a.n = slice.padded();
  for (int k = 0; k < g.model.states; ++k) a.state[k] = part.states(index, k);
  if (!part.current[index].empty()) a.current = part.current[index].data();
  out.resize(a.n);
  kernels::program_values(g.model.computed[which], a, out.data());
}

}  // namespace

template <class T>
void drive(const Circuit& circuit, Part<T>& part, const SpikeDevice& d, std::int64_t step) {
  const std::int64_t sent = step - d.delay;
  if (sent < d.start || sent >= d.stop) return;
  const auto next = std::upper_bound(d.steps.begin(), d.steps.end(), sent);
  if (next == d.steps.begin() || (d.poisson.empty() && next[-1] != sent)) return;
  const Slice& slice = part.slices[d.to.index];
  const std::uint32_t begin = std::max(slice.begin, d.to.begin), end = std::min(slice.end, d.to.begin + d.to.size);
  if (begin >= end) return;
  T* to = part.row(step) + slice.row[circuit.groups[d.to.index].model.port(d.to.receptor, d.weight)];
  const T weight = static_cast<T>(d.weight);
  if (d.poisson.empty()) {
    for (std::uint32_t i = begin; i < end; ++i) to[i - slice.begin] += weight;
    return;
  }
  const kernels::PoissonTable& rate = d.poisson[static_cast<std::size_t>(next - d.steps.begin() - 1)];
  const auto add = [&](std::uint32_t first, std::uint32_t n, T* at) {
    kernels::add_poisson(rate, circuit.options.seed, d.stream, static_cast<std::uint32_t>(sent), first, n, weight, at);
  };
  if (begin == slice.begin && end == slice.end) return add(begin, slice.padded(), to);
  for (std::uint32_t word = begin / 64; word * 64 < end; ++word) {  // counts are those of whole words, whoever is driven
    T some[64] = {};
    add(word * 64, 64, some);
    for (std::uint32_t i = std::max(begin, word * 64); i < std::min(end, word * 64 + 64); ++i) to[i - slice.begin] += some[i - word * 64];
  }
}

template <class T>
void set_currents(const Circuit& circuit, Part<T>& part, std::size_t group, std::int64_t step) {
  auto& current = part.current[group];
  if (current.empty()) return;
  const Slice& slice = part.slices[group];
  std::fill(current.begin(), current.end(), 0.0);
  for (std::size_t k = 0; k < circuit.current_devices.size(); ++k) {
    const CurrentDevice& d = circuit.current_devices[k];
    const std::int64_t sent = step - 1 - d.delay;  // arrived in the step before
    if (d.to.index != group || !d.acts(sent)) continue;
    const double amount = d.at(sent);
    const std::uint32_t begin = std::max(slice.begin, d.to.begin), end = std::min(slice.end, d.to.begin + d.to.size);
    double* const to = current.data() + d.to.receptor * slice.padded();
    for (std::uint32_t i = begin; i < end; ++i) to[i - slice.begin] += amount;
    if (!d.noise) continue;
    const double* noise = drawn_noise(circuit, part, k, slice, sent);
    for (std::uint32_t i = begin; i < end; ++i) to[i - slice.begin] += noise[i - slice.begin];
  }
  for (const Signals& s : part.signals)
    if (s.connection.to.index == group)
      s.add(circuit.groups[s.connection.from.index], step, current.data() + s.connection.to.receptor * slice.padded());
}

template <class T>
const double* chances(const Circuit& circuit, Part<T>& part, std::size_t group, std::int64_t step) {
  const Slice& slice = part.slices[group];
  const std::size_t n = slice.padded();
  part.words.resize(std::max(part.words.size(), n)), part.chances.resize(part.words.size());
  kernels::random_words(circuit.options.seed, stream_id("fires") + group, static_cast<std::uint32_t>(step), slice.begin / 64, n / 64,
                        part.words.data());
  for (std::size_t i = 0; i < n; ++i) part.chances[i] = (part.words[i] + 0.5) * 0x1p-32;
  return part.chances.data();
}

template <class T>
void record(const Circuit& circuit, Part<T>& part, Recording& r, std::int64_t step) {
  if ((step + 1) % r.every != 0) return;
  const Population& who = r.data.population;
  const Slice& slice = part.slices[who.index];
  const Group& g = circuit.groups[who.index];
  const std::size_t at = r.base + static_cast<std::size_t>((step + 1 - r.base_step) / r.every);
  const std::uint32_t begin = std::max(slice.begin, who.begin), end = std::min(slice.end, who.begin + who.size);
  if (begin >= end) return;
  std::vector<double> computed;
  for (std::size_t v = 0; v < r.states.size(); ++v) {
    const bool state = r.states[v] < g.model.states;
    if (!state) compute(circuit, part, who.index, static_cast<std::size_t>(r.states[v] - g.model.states), computed);
    const double* values = (state ? part.states(who.index, r.states[v]) : computed.data()) + (begin - slice.begin);
    double* to = r.data.values.data() + (at * r.states.size() + v) * who.size + (begin - who.begin);
    for (std::uint32_t i = 0; i < end - begin; ++i) to[i] = r.states[v] == 0 ? values[i] + g.model.E_L : values[i];
  }
}

template void drive(const Circuit&, Part<float>&, const SpikeDevice&, std::int64_t);
template void drive(const Circuit&, Part<double>&, const SpikeDevice&, std::int64_t);
template void set_currents(const Circuit&, Part<float>&, std::size_t, std::int64_t);
template void set_currents(const Circuit&, Part<double>&, std::size_t, std::int64_t);
template const double* chances(const Circuit&, Part<float>&, std::size_t, std::int64_t);
template const double* chances(const Circuit&, Part<double>&, std::size_t, std::int64_t);
template void record(const Circuit&, Part<float>&, Recording&, std::int64_t);
template void record(const Circuit&, Part<double>&, Recording&, std::int64_t);

}  // namespace apical::brain
