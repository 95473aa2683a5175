#pragma once
// What devices do to the neurons of one thread in a step, and what multimeters read there. Private to the room.
#include "apical/brain/engine_part.h"

namespace apical::brain {

/// Adds the spikes of a device that arrive in this step to the row of the part.
template <class T>
void drive(const Circuit& circuit, Part<T>& part, const SpikeDevice& device, std::int64_t step);

/// part.current of a group: those of devices that act in this step, and the signals that arrive.
template <class T>
void set_currents(const Circuit& circuit, Part<T>& part, std::size_t group, std::int64_t step);

/// Numbers in (0, 1) for the neurons of the part: functions of seed, group, step and neuron.
template <class T>
const double* chances(const Circuit& circuit, Part<T>& part, std::size_t group, std::int64_t step);

/// What a multimeter reads at the end of a step, if it does.
template <class T>
void record(const Circuit& circuit, Part<T>& part, Recording& recording, std::int64_t step);

}  // namespace apical::brain
