#include "apical/exchange/model.h"

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/formats/safetensors.h"
#include "apical/graph/graph_json.h"

namespace apical::exchange {
namespace {

constexpr const char* graph_key = "apical.graph";

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
    if (file.keeper() && view.aligned<float>())
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
  for (const auto& [name, tensor] : checked.tensors)
    tensors.push_back(formats::named<float>(name, {tensor.shape.begin(), tensor.shape.end()}, tensor.values));
  formats::write_safetensors(path, tensors, {{graph_key, graph::to_json(checked)}, {"format", "pt"}});
}

graph::Graph load_model(const std::filesystem::path& path) { return from_file(formats::SafeTensors::open(path), path.string()); }

graph::Graph parse_model(std::span<const std::uint8_t> bytes, const std::string& where) {
  return from_file(formats::SafeTensors::parse(bytes, where), where);
}

}  // namespace apical::exchange
