#pragma once
// Recorded spikes and variables as files, for NumPy and for spreadsheets.
#include <filesystem>
#include <string>
#include <vector>

#include "apical/brain/description.h"

namespace apical::brain {

/// npz, csv, hdf5
const std::vector<std::string>& recording_formats();

/// Writes what was recorded into `folder`, each file at once or not at all; the files in the order of writing.
///   npz, hdf5: spikes.* with NAME.times (float64, ms) and NAME.neurons (uint32, number in the population); traces.* with NAME.times (ms),
///   NAME.neurons and NAME.<variable> (float64 [samples, neurons]), NAME being the record's; weights.* with NAME.times (ms), NAME.source,
///   NAME.target and NAME.weight (float64 [samples, synapses]); positions.* with POPULATION.x and .y (mm) csv: spikes.csv (record, neuron,
///   time_ms), traces_NAME.csv (time_ms, neuron, a column for each variable), weights_NAME.csv (time_ms, source, target, weight),
///   positions.csv (population, neuron, x_mm, y_mm)
/// Data error: no room on the disk, ...
std::vector<std::filesystem::path> write_recordings(const Described& circuit, const std::filesystem::path& folder,
                                                    const std::string& format);

}  // namespace apical::brain
