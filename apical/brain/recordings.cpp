#include "apical/brain/recordings.h"

#include <algorithm>
#include <numeric>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/formats/hdf5_arrays.h"
#include "apical/formats/npy.h"

namespace apical::brain {
namespace {

namespace fs = std::filesystem;
using formats::Array, formats::Npz;

Npz spike_arrays(const Described& d) {
  Npz npz;
  for (const auto& [name, population, r] : d.spikes) {
    std::vector<double> times(r->size());
    std::vector<std::uint32_t> neurons(r->size());
    for (std::size_t i = 0; i < times.size(); ++i) times[i] = r->time(i), neurons[i] = r->population.begin + r->neuron[i];
    npz[name + ".times"] = Array::of<double>({times.size()}, times);
    npz[name + ".neurons"] = Array::of<std::uint32_t>({neurons.size()}, neurons);
  }
  return npz;
}

double sample_time(const Multimeter& m, std::size_t sample) { return m.first + static_cast<double>(sample) * m.interval; }

Npz trace_arrays(const Described& d) {
  Npz npz;
  for (const auto& [name, population, m] : d.traces) {
    const std::size_t samples = m->samples(), n = m->population.size;
    std::vector<double> times(samples), values(samples * n);
    for (std::size_t s = 0; s < samples; ++s) times[s] = sample_time(*m, s);
    std::vector<std::uint32_t> neurons(n);
    std::iota(neurons.begin(), neurons.end(), m->population.begin);
    npz[name + ".times"] = Array::of<double>({samples}, times);
    npz[name + ".neurons"] = Array::of<std::uint32_t>({n}, neurons);
    for (std::size_t v = 0; v < m->variables.size(); ++v) {
      for (std::size_t s = 0; s < samples; ++s)
        for (std::size_t i = 0; i < n; ++i) values[s * n + i] = m->at(s, v, i);
      npz[name + "." + m->variables[v]] = Array::of<double>({samples, n}, values);
    }
  }
  return npz;
}

double sample_time(const WeightRecord& w, std::size_t sample) { return w.first + static_cast<double>(sample) * w.interval; }

Npz weight_arrays(const Described& d) {
  Npz npz;
  for (const auto& [name, w] : d.weights) {
    std::vector<double> times(w->samples());
    for (std::size_t s = 0; s < times.size(); ++s) times[s] = sample_time(*w, s);
    npz[name + ".times"] = Array::of<double>({times.size()}, times);
    npz[name + ".source"] = Array::of<std::uint32_t>({w->source.size()}, w->source);
    npz[name + ".target"] = Array::of<std::uint32_t>({w->target.size()}, w->target);
    npz[name + ".weight"] = Array::of<double>({times.size(), w->source.size()}, w->values);
  }
  return npz;
}

// Where neurons are, of populations that have positions.
Npz position_arrays(const Described& d) {
  Npz npz;
  for (const auto& p : d.populations) {
    if (!d.network.placed(p.population)) continue;
    std::vector<double> x, y;
    for (const Point& at : d.network.positions(p.population).points) x.push_back(at[0]), y.push_back(at[1]);
    npz[p.name + ".x"] = Array::of<double>({x.size()}, x);
    npz[p.name + ".y"] = Array::of<double>({y.size()}, y);
  }
  return npz;
}

void write_weight_csv(const WeightRecord& w, const fs::path& path) {
  AtomicFile file(path);
  file.write("time_ms,source,target,weight\n");
  for (std::size_t s = 0; s < w.samples(); ++s)
    for (std::size_t i = 0; i < w.source.size(); ++i)
      file.write(number(sample_time(w, s), 10) + "," + std::to_string(w.source[i]) + "," + std::to_string(w.target[i]) + "," +
                 number(w.values[s * w.source.size() + i], 17) + "\n");
  file.commit();
}

void write_position_csv(const Described& d, const fs::path& path) {
  AtomicFile file(path);
  file.write("population,neuron,x_mm,y_mm\n");
  for (const auto& p : d.populations) {
    if (!d.network.placed(p.population)) continue;
    const auto& points = d.network.positions(p.population).points;
    for (std::size_t i = 0; i < points.size(); ++i)
      file.write(p.name + "," + std::to_string(i) + "," + number(points[i][0], 17) + "," + number(points[i][1], 17) + "\n");
  }
  file.commit();
}

void write_spike_csv(const Described& d, const fs::path& path) {
  AtomicFile file(path);
  file.write("record,neuron,time_ms\n");
  for (const auto& s : d.spikes)
    for (std::size_t i = 0; i < s.record->size(); ++i)
      file.write(s.name + "," + std::to_string(s.record->population.begin + s.record->neuron[i]) + "," + number(s.record->time(i), 10) +
                 "\n");
  file.commit();
}

void write_trace_csv(const Multimeter& m, const fs::path& path) {
  AtomicFile file(path);
  file.write("time_ms,neuron," + join(m.variables, ",") + "\n");
  for (std::size_t s = 0; s < m.samples(); ++s)
    for (std::uint32_t i = 0; i < m.population.size; ++i) {
      std::string line = number(sample_time(m, s), 10) + "," + std::to_string(m.population.begin + i);
      for (std::size_t v = 0; v < m.variables.size(); ++v) line += "," + number(m.at(s, v, i), 17);
      file.write(line + "\n");
    }
  file.commit();
}

}  // namespace

const std::vector<std::string>& recording_formats() {
  static const std::vector<std::string> all{"npz", "csv", "hdf5"};
  return all;
}

std::vector<fs::path> write_recordings(const Described& d, const fs::path& folder, const std::string& format) {
  std::vector<fs::path> written;
  const auto put = [&](const std::string& name, const auto& write) { write(folder / name), written.push_back(folder / name); };
  const bool placed =
      std::any_of(d.populations.begin(), d.populations.end(), [&](const auto& p) { return d.network.placed(p.population); });
  if (format == "csv") {
    if (!d.spikes.empty()) put("spikes.csv", [&](const fs::path& path) { write_spike_csv(d, path); });
    for (const auto& t : d.traces) put("traces_" + t.name + ".csv", [&](const fs::path& path) { write_trace_csv(*t.record, path); });
    for (const auto& w : d.weights) put("weights_" + w.name + ".csv", [&](const fs::path& path) { write_weight_csv(*w.record, path); });
    if (placed) put("positions.csv", [&](const fs::path& path) { write_position_csv(d, path); });
    return written;
  }
  if (format != "npz" && format != "hdf5")
    throw usage_error("no format of recordings is called '" + format + "'", {}, did_you_mean(format, recording_formats()));
  const auto arrays = [&](const Npz& npz) {
    return [&](const fs::path& path) { format == "npz" ? formats::write_npz(path, npz) : formats::write_hdf5_arrays(path, npz); };
  };
  if (!d.spikes.empty()) put("spikes." + format, [&](const fs::path& path) { arrays(spike_arrays(d))(path); });
  if (!d.traces.empty()) put("traces." + format, [&](const fs::path& path) { arrays(trace_arrays(d))(path); });
  if (!d.weights.empty()) put("weights." + format, [&](const fs::path& path) { arrays(weight_arrays(d))(path); });
  if (placed) put("positions." + format, [&](const fs::path& path) { arrays(position_arrays(d))(path); });
  return written;
}

}  // namespace apical::brain
