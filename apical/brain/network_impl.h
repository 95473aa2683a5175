#pragma once
// What is behind a Network. Private to the room.
#include <functional>

#include "apical/brain/circuit.h"

namespace apical::brain {

struct Network::Impl {
  Circuit circuit;
  std::unique_ptr<Engine> engine;
  std::int64_t stretch_steps = 256;  ///< between two looks at Ctrl-C and the progress line: about a fifth of a second

  Population create(const std::function<Model()>& make, std::string_view model, std::uint32_t n, std::string_view name);
  void check_takes(const Population& to, bool spikes) const;
  const Group& group(const Population& p) const;  ///< usage error when it is of another network
  const Connection& connection(Projection p) const;
  void check_open() const;  ///< usage error when it is built
  Projection add(const Network& net, Connection connection);
  void add_poisson(std::vector<std::int64_t> steps, const std::vector<double>& rates, double start, double stop, Population to,
                   double weight, double delay);
  void stretch(std::int64_t steps);
};

}  // namespace apical::brain
