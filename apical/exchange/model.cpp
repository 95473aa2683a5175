#include "apical/exchange/model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/formats/safetensors.h"
#include "apical/graph/graph_json.h"
#include "apical/kernels/narrow.h"

namespace apical::exchange {
namespace {

constexpr const char* graph_key = "apical.graph";

std::vector<float> from_int8(const formats::TensorView& view, const graph::Integer& integer, int exponent, const std::string& where) {
  const int most = (1 << (integer.bits - 1)) - 1;
  const auto q = view.as<std::int8_t>(where);
  std::vector<float> values(q.size());
  for (std::size_t i = 0; i < q.size(); ++i) {
    if (q[i] < -most || q[i] > most)
      throw data_error("element " + std::to_string(i) + " is " + std::to_string(q[i]) + ", weights of " + std::to_string(integer.bits) +
                           " bits lie within " + std::to_string(most), where);
    values[i] = std::ldexp(static_cast<float>(q[i]), -exponent);
  }
  return values;
}

graph::Graph from_file(const formats::SafeTensors& file, const std::string& where) {
  const auto text = file.metadata().find(graph_key);
  if (text == file.metadata().end())
    throw data_error("this safetensors file holds no network: its metadata has no key 'apical.graph'", where,
                     "Models are written by 'apical run' and 'apical train'.");
  graph::Graph graph = graph::parse_json(text->second, where + ", apical.graph");
  for (auto& [name, tensor] : graph.tensors) {
    const std::string here = where + ", tensor '" + name + "'";
    if (!file.has(name)) throw data_error("the network reads a tensor that the file does not hold", here);
    const formats::TensorView& view = file.at(name);
    const graph::Shape shape(view.shape.begin(), view.shape.end());
    if (shape != tensor.shape)
      throw data_error("the network says shape " + graph::shape_text(tensor.shape) + ", the file holds " + graph::shape_text(shape), here,
                       "The file was put together from two models; export it again.");
    if (graph.integer && graph.integer->exponents.count(name))
      tensor.values = from_int8(view, *graph.integer, graph.integer->exponents.at(name), here);
    else if (view.dtype == formats::DType::bf16)
      tensor.values = view.floats();
    else if (file.keeper() && view.aligned<float>())
      tensor.values = graph::Floats(view.as<float>(here), file.keeper());
    else
      tensor.values = view.copy<float>(here);
  }
  for (const auto& [name, view] : file.tensors())
    if (!graph.tensors.count(name))
      throw data_error("the file holds a tensor that the network does not name", where + ", tensor '" + name + "'");
  try {
    graph::validate(graph);
  } catch (const Error& e) {
    throw Error(e.code(), e.message(), where + ", " + e.where(), e.hint());
  }
  return graph;
}

}  // namespace

void save_model(const std::filesystem::path& path, const graph::Graph& graph) {
  graph::Graph checked = graph;
  graph::validate(checked);
  std::vector<formats::NamedTensor> tensors;
  std::map<std::string, std::vector<std::int8_t>> integers;
  std::map<std::string, std::vector<kernels::Bfloat16>> halves;
  std::set<std::string> weights;
  for (const auto& node : checked.nodes) weights.insert(graph::weight_name(node.op));
  for (const auto& [name, tensor] : checked.tensors) {
    const std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    if (!checked.integer && weights.count(name) && std::all_of(tensor.values.begin(), tensor.values.end(), kernels::is_bfloat16)) {
      std::vector<kernels::Bfloat16>& half = halves[name];
      for (const float w : tensor.values) half.push_back(kernels::to_bfloat16(w));
      tensors.push_back({name, formats::DType::bf16, shape, {reinterpret_cast<const std::uint8_t*>(half.data()), half.size() * sizeof half[0]}});
      continue;
    }
    if (!checked.integer || !checked.integer->exponents.count(name)) {
      tensors.push_back(formats::named<float>(name, shape, tensor.values));
      continue;
    }
    std::vector<std::int8_t>& q = integers[name];
    for (const float w : tensor.values) q.push_back(static_cast<std::int8_t>(std::ldexp(w, checked.integer->exponents.at(name))));
    tensors.push_back(formats::named<std::int8_t>(name, shape, q));
  }
  formats::write_safetensors(path, tensors, {{graph_key, graph::to_json(checked)}, {"format", "pt"}});
}

graph::Graph load_model(const std::filesystem::path& path) { return from_file(formats::SafeTensors::open(path), path.string()); }

graph::Graph parse_model(std::span<const std::uint8_t> bytes, const std::string& where) {
  return from_file(formats::SafeTensors::parse(bytes, where), where);
}

}  // namespace apical::exchange
