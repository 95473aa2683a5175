#pragma once
// The neuron of the workloads with LIF neurons, and how it is set to a peer's form: neurons.py.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

#include "apical/kernels/neurons/lif.h"

namespace apical::bench {

/// h[t] = v[t-1] / 2 + x[t], s = h >= 1, soft reset by 1: every factor exact in float, so libraries agree nearly bit for bit.
struct LifOptions {
  std::string reset_at = "same_step", surrogate = "sigmoid";
  float height = 1, width = 1;
  bool keep_reset = false;

  void add_to(CLI::App& app) {
    const auto& names = kernels::surrogate_names;
    app.add_option("--reset-at", reset_at)->check(CLI::IsMember({"same_step", "next_step"}));
    app.add_option("--surrogate", surrogate)->check(CLI::IsMember(std::vector<std::string>(std::begin(names), std::end(names))));
    app.add_option("--height", height);
    app.add_option("--width", width);
    app.add_flag("--keep-reset", keep_reset, "a gradient passes through the spike of the reset");
  }
  kernels::Lif lif() const {
    kernels::Lif lif;
    lif.decay = 0.5f;
    lif.detach_reset = !keep_reset;
    lif.reset_at = reset_at == "next_step" ? kernels::ResetAt::next_step : kernels::ResetAt::same_step;
    return lif;
  }
  kernels::Surrogate shape() const {
    const auto& names = kernels::surrogate_names;
    return {static_cast<kernels::SurrogateKind>(std::find(std::begin(names), std::end(names), surrogate) - std::begin(names)), height, width};
  }
};

}  // namespace apical::bench
