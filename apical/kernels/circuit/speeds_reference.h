#pragma once
// The scalar reference of speeds-inl.h: one neuron after the other.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

template <int Way, class Cell>
void move_by(int way, const Cell& cell, double* s, double& r, double drive) {
  if (way == Way) {
    cell.template move<Way>(s, r, drive);
  } else if constexpr (Way + 1 < Cell::kWays) {
    move_by<Way + 1>(way, cell, s, r, drive);
  }
}

template <class Cell, class Row>
bool reference_by_ways(const Cell& cell, const NeuronArrays<Row>& a) {
  double strange = 0;
  for (std::size_t i = 0; i < a.n; ++i) {
    double s[Cell::kStates], in[Cell::kInputs], r = a.wakes[i] - a.step;
    for (int j = 0; j < Cell::kStates; ++j) s[j] = a.state[j][i];
    for (int j = 0; j < Cell::kInputs; ++j) in[j] = a.in[j][i], a.in[j][i] = 0;
    const double noted = cell.note(s), drive = cell.drive(a.current ? a.current[i] : 0);
    move_by<0>(static_cast<int>(cell.way(s, r, drive)), cell, s, r, drive);
    strange += s[0] - s[0];
    const bool fired = cell.finish(s, noted, r, in);
    for (int j = 0; j < Cell::kStates; ++j) a.state[j][i] = s[j];
    a.wakes[i] = a.step + 1 + static_cast<std::int32_t>(r);
    if (i % 64 == 0) a.spikes[i / 64] = 0;
    a.spikes[i / 64] |= std::uint64_t{fired} << (i % 64);
  }
  return strange == 0;
}

}  // namespace apical::kernels
