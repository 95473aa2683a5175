#pragma once
// What the sources of neuron models share: parameters, and values given for them. Private to the room.
#include <initializer_list>
#include <limits>
#include <utility>

#include "apical/brain/models.h"

namespace apical::brain {

inline constexpr double kNone = -std::numeric_limits<double>::infinity();

/// Parameters that mean the same in every model, with a model's own defaults, then parameters of its own.
std::vector<ParameterInfo> with_defaults(std::initializer_list<std::pair<const char*, double>> shared, std::vector<ParameterInfo> own = {});

/// The values of one population, checked: usage errors.
class Given {
 public:
  Given(const ModelInfo& info, const Parameters& given);
  double operator()(const std::string& name) const;
  std::vector<double> list(const std::string& name) const;
  bool has(const std::string& name) const { return given_.count(name) > 0; }
  double positive(const std::string& name) const;
  double not_negative(const std::string& name) const;

 private:
  const ModelInfo& info_;
  const Parameters& given_;
};

double whole_steps(const Given& given, const std::string& name, double dt);

struct ModelEntry {
  ModelInfo info;
  void (*make)(Model&, const Given&, double dt);  ///< fills in the model; usage errors
};
/// Cells that are not one membrane: pyramidal_ns_2018, astrocyte_lr_1994, rate units.
std::vector<ModelEntry> cell_models();

}  // namespace apical::brain
