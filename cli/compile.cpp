// `apical compile MODEL --target c`: a trained network as source for a device that has a C compiler and nothing else.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/exchange/c_source.h"
#include "apical/exchange/model.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

struct CompileOptions {
  std::string model, target, out, name;
};

void compile(const CompileOptions& o) {
  const graph::Graph graph = exchange::load_model(o.model);
  const std::string source = exchange::c_source(graph, o.name);
  const std::filesystem::path out =
      o.out.empty() ? std::filesystem::path(o.model).filename().replace_extension(".c") : std::filesystem::path(o.out);
  write_file(out, source);
  log_info("wrote " + out.string() + ", " + bytes_text(static_cast<double>(source.size())) +
           ". How to use it stands in its head; as a program: cc -std=c99 -O2 -DAPICAL_MAIN " + out.string());
}

}  // namespace

void add_compile(CLI::App& app) {
  auto o = std::make_shared<CompileOptions>();
  auto* sub = app.add_subcommand("compile", "Write a trained network as one C99 file without dependencies");
  sub->add_option("MODEL", o->model, "The model, a .safetensors file of apical run, train, quantise or tune")->required();
  sub->add_option("--target", o->target, "What to write: c (C99, no malloc; float32, or integers for a model of int8 or int4)")
      ->required()
      ->check(CLI::IsMember({"c"}));
  sub->add_option("--out", o->out, "The file to write (default: the model's name with .c, here)");
  sub->add_option("--name", o->name, "Prefix of the C functions (default: the network's name)");
  sub->footer(
      "The scores are those of apical infer, bit for bit. A quantised model gives int8 weights, int16 membranes, and integers between\n"
      "frame and scores.\n\n"
      "Examples:\n  apical compile model.safetensors --target c\n  apical compile model.safetensors --target c --out digits.c --name "
      "digits\n  apical quantise model.safetensors --data mnist -o int8.safetensors && apical compile int8.safetensors --target c\n"
      "  cc -std=c99 -O2 -DAPICAL_MAIN digits.c -o digits && ./digits < frames.f32");
  sub->callback([o] { compile(*o); });
}

}  // namespace apical::cli
