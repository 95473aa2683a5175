#pragma once
// What ei_walk.cpp walks a trial with. Private to the kernel.
#include <cstddef>

#include "apical/kernels/circuit/ei_walk.h"

namespace apical::kernels {

/// Rows of neurons padded to whole vectors; a neuron of the padding never fires.
template <class T>
struct EiRows {
  EiWalk<T> a;
  std::size_t row;             ///< neurons, padded
  std::size_t ex_row, in_row;  ///< sources that excite, and that inhibit, padded
  const T* constants;          ///< [kEiConstants, row]
  const T* weights;            ///< [inputs + neurons, row]
  const T* back_ex;            ///< [neurons, ex_row] by target
  const T* back_in;            ///< [neurons, in_row]
};
/// Rows of a state: what a step begins with, and the spikes of the step before.
enum EiState : std::size_t { ei_v, ei_th, ei_1, ei_2, ei_ex, ei_in, ei_s, kEiStates };
/// Rows of a step on the tape: before the reset.
enum EiTape : std::size_t { tape_v, tape_th, tape_1, tape_2, tape_s, kEiTape };

}  // namespace apical::kernels
