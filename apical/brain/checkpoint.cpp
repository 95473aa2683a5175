// The state of a network as an NPZ file. Synapses are not in it: they are drawn again.
#include <cmath>
#include <cstring>

#include "apical/base/error.h"
#include "apical/brain/network_impl.h"
#include "apical/formats/npy.h"

namespace apical::brain {
namespace {

using formats::Array;
using formats::Npz;

// What two networks must have in common for one to go on where the other stopped.
std::vector<double> description(const Circuit& c, const Engine& engine) {
  std::vector<double> d{1,
                        c.options.dt,
                        static_cast<double>(c.options.seed >> 32),
                        static_cast<double>(c.options.seed & 0xffffffffu),
                        c.options.double_precision ? 1.0 : 0.0,
                        static_cast<double>(engine.synapses()),
                        static_cast<double>(c.groups.size())};
  for (const Group& g : c.groups) {
    d.push_back(g.n), d.push_back(static_cast<double>(g.model.step.index())), d.push_back(g.model.ports);
  }
  return d;
}

template <class T>
Array column(const std::vector<T>& values) {
  return Array::of<T>({values.size()}, {values.data(), values.size()});
}

template <class T>
std::vector<T> get(const Npz& npz, const std::string& name, std::size_t size, const std::string& where) {
  const auto i = npz.find(name);
  if (i == npz.end()) throw data_error("a saved state lacks '" + name + "'", where);
  const auto values = i->second.as<T>(where + ": " + name);
  if (values.size() != size)
    throw data_error("'" + name + "' of a saved state has " + std::to_string(values.size()) + " values, not " + std::to_string(size),
                     where);
  std::vector<T> copy(size);  // bytes of an array need not lie as T wants
  if (size > 0) std::memcpy(copy.data(), i->second.bytes.data(), size * sizeof(T));
  return copy;
}

}  // namespace

void Network::save(const std::filesystem::path& path) const {
  const Circuit& c = impl_->circuit;
  if (!impl_->engine) throw usage_error("a network has no state before it is built");
  Npz npz;
  npz["description"] = column(description(c, *impl_->engine));
  std::vector<std::int64_t> steps{c.step};
  std::vector<std::uint32_t> sources;
  for (const auto& s : impl_->engine->past()) steps.push_back(s.step), sources.push_back(s.source);
  npz["steps"] = column(steps);  // now, and when the spikes on their way were sent
  npz["sources"] = column(sources);
  for (std::size_t g = 0; g < c.groups.size(); ++g) {
    npz["state" + std::to_string(g)] = column(c.groups[g].state);
    npz["refractory" + std::to_string(g)] = column(c.groups[g].refractory);
    npz["spikes" + std::to_string(g)] = column(std::vector<std::uint64_t>{c.groups[g].spikes});
  }
  formats::write_npz(path, npz, false);
}

void Network::load(const std::filesystem::path& path) {
  build();
  Circuit& c = impl_->circuit;
  const std::string where = path.string();
  const Npz npz = formats::read_npz(path);
  const auto want = description(c, *impl_->engine);
  if (get<double>(npz, "description", want.size(), where) != want)
    throw data_error("this is the state of another network", where, "Seed, step, precision, populations and synapses must be the same.");
  const auto found = npz.find("sources");
  const std::size_t n = found == npz.end() ? 0 : found->second.size();
  const auto sources = get<std::uint32_t>(npz, "sources", n, where);
  const auto steps = get<std::int64_t>(npz, "steps", n + 1, where);
  if (steps[0] < 0 || steps[0] > 4000000000) throw data_error("a saved state is of no possible time", where);
  std::vector<PastSpike> past;
  for (std::size_t i = 0; i < n; ++i) {
    if (sources[i] >= c.neurons || steps[i + 1] < 0 || steps[i + 1] >= steps[0] || (i > 0 && steps[i + 1] < steps[i]))
      throw data_error("a saved state holds an impossible spike", where + ": " + std::to_string(i));
    past.push_back({steps[i + 1], sources[i]});
  }
  auto groups = c.groups;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    groups[g].state = get<double>(npz, "state" + std::to_string(g), groups[g].state.size(), where);
    groups[g].refractory = get<float>(npz, "refractory" + std::to_string(g), groups[g].refractory.size(), where);
    groups[g].spikes = get<std::uint64_t>(npz, "spikes" + std::to_string(g), 1, where)[0];
  }
  c.groups = std::move(groups);
  c.step = steps[0];
  impl_->engine->set_past(past);
  for (Recording& r : c.recordings) {  // recordings go on from here
    r.next = (c.step / r.every + 1) * r.every;
    if (r.data.values.empty()) r.data.first = static_cast<double>(r.next) * c.options.dt;
  }
}

}  // namespace apical::brain
