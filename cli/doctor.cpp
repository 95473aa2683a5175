// apical doctor: is this machine ready, and how fast is it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/machine.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"
#include "cli/frame.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Findings {
  Json facts = Json::object();
  Json problems = Json::array();  // {"what", "hint"}: exit code 1
  void problem(const std::string& what, const std::string& hint) { problems.push_back({{"what", what}, {"hint", hint}}); }
};

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

// Bytes read plus bytes written a second, best of five, 256 MB copied with every thread.
double copy_gb_per_s() {
  constexpr std::size_t bytes = std::size_t{1} << 28, chunk = std::size_t{1} << 22;
  const auto from = std::make_unique<unsigned char[]>(bytes);
  const auto to = std::make_unique<unsigned char[]>(bytes);
  std::memset(from.get(), 1, bytes);
  std::memset(to.get(), 2, bytes);
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double start = clock_seconds();
    parallel_for(0, bytes, chunk, [&](std::size_t b, std::size_t e) { std::memcpy(to.get() + b, from.get() + b, e - b); });
    const double s = clock_seconds() - start;
    best = std::max(best, 2.0 * bytes / s / 1e9);
  }
  return best;
}

void look_at_machine(Findings& f) {
  const Machine m = machine();
  f.facts["version"] = version();
  f.facts["compiler"] = compiler();
  f.facts["system"] = m.system;
  f.facts["cpu"] = m.cpu;
  f.facts["cores"] = m.cores;
  f.facts["threads"] = thread_count();
  f.facts["memory_gib"] = m.memory_gib;
  f.facts["simd"] = kernels::simd_level();
  f.facts["simd_levels"] = kernels::simd_levels();
  f.facts["copy_gb_per_s"] = copy_gb_per_s();
  if (thread_count() > m.cores)
    f.problem(std::to_string(thread_count()) + " threads on " + std::to_string(m.cores) + " cores", "Use --threads " + std::to_string(m.cores) + ".");
  if (m.memory_gib < 2) f.problem("less than 2 GiB of memory", "Training digits needs about 1 GiB; building needs 2 GiB.");
}

// "SkylakeX 2 401.3" from apical-train; OpenBLAS is not loaded here.
void look_at_training(Findings& f) {
  const auto path = find_train();
  f.facts["training"] = !path.empty();
  if (path.empty()) return;
  set_blas_environment();
  ::setenv("APICAL_THREADS", std::to_string(thread_count()).c_str(), 1);
  FILE* pipe = ::popen(("'" + path.string() + "' blas").c_str(), "r");
  std::array<char, 64> core{};
  int threads = 0;
  double gflops = 0;
  const bool read = pipe && std::fscanf(pipe, "%63s %d %lf", core.data(), &threads, &gflops) == 3;
  if ((pipe && ::pclose(pipe) != 0) || !read) return f.problem("apical-train does not start", "Run it by hand: " + path.string() + " --version");
  f.facts["blas"] = {{"core", core.data()}, {"threads", threads}, {"gflops", gflops}};
  if (std::string(core.data()) == "generic" || gflops == 0)
    f.problem("torch uses a BLAS that is not OpenBLAS", "Training will be slow. Install libopenblas0-pthread (tools/install_deps.sh does).");
  else if (blas_needs_help() && std::strcmp(core.data(), "SkylakeX") != 0)
    f.problem(std::string("OpenBLAS runs its ") + core.data() + " kernels on a processor with AVX-512", "Unset OPENBLAS_CORETYPE.");
}

bool writable(const fs::path& folder) {
  std::error_code error;
  const fs::path probe = folder / (".apical-doctor-" + std::to_string(::getpid()));
  try {
    write_file(probe, "x");
  } catch (const Error&) {
    return false;
  }
  fs::remove(probe, error);
  return true;
}

void look_at_files(Findings& f) {
  const char* variable = std::getenv("APICAL_DATA");
  Json data = Json::array();
  if (variable && *variable) {
    std::error_code error;
    if (!fs::is_directory(variable, error))
      f.problem("APICAL_DATA names no folder: " + std::string(variable), "Unset it, or name the folder that holds the data sets.");
    for (const auto& entry : fs::directory_iterator(variable, error))
      if (entry.is_directory(error)) data.push_back(entry.path().filename().string());
    std::sort(data.begin(), data.end());
  }
  f.facts["data_folder"] = variable ? Json(variable) : Json();
  f.facts["data"] = data;
  const fs::path cache = cache_folder();
  f.facts["cache_folder"] = cache.string();
  try {
    make_folder(cache);
    if (!writable(cache)) f.problem("the cache cannot be written: " + cache.string(), "Set XDG_CACHE_HOME to a folder you may write to.");
  } catch (const Error& error) {
    f.problem(error.what(), "Set XDG_CACHE_HOME to a folder you may write to.");
  }
  if (!writable(".")) f.problem("this folder cannot be written: " + fs::current_path().string(), "Runs put their results in ./runs; use --out.");
}

void look_at_tools(Findings& f) {
  Json missing = Json::array();
  for (const char* tool : {"curl"}) {
    bool found = false;
    const char* path = std::getenv("PATH");
    for (const auto& folder : CLI::detail::split(path ? path : "", ':')) found |= ::access((folder + "/" + tool).c_str(), X_OK) == 0;
    if (found) continue;
    missing.push_back(tool);
    f.problem(std::string(tool) + " is not installed", "apical data get downloads with it: apt-get install " + std::string(tool));
  }
  f.facts["missing_tools"] = missing;
}

void print(const Findings& f) {
  const Json& j = f.facts;
  const auto line = [](const char* name, const std::string& text) { std::printf("%-10s %s\n", name, text.c_str()); };
  line("apical", j["version"].get<std::string>() + ", " + j["compiler"].get<std::string>());
  line("machine", j["cpu"].get<std::string>() + ", " + j["system"].get<std::string>());
  line("threads", std::to_string(j["threads"].get<int>()) + " of " + std::to_string(j["cores"].get<int>()) + " cores");
  line("memory", number(j["memory_gib"].get<double>(), 3) + " GiB, copy " + number(j["copy_gb_per_s"].get<double>(), 3) + " GB/s");
  line("SIMD", j["simd"].get<std::string>() + " in use; this machine has " + join(j["simd_levels"].get<std::vector<std::string>>(), ", "));
  if (j.contains("blas"))
    line("OpenBLAS", j["blas"]["core"].get<std::string>() + " kernels, " + number(j["blas"]["gflops"].get<double>(), 3) + " GFLOP/s (float32, " +
                         std::to_string(j["blas"]["threads"].get<int>()) + " threads)");
  line("training", j["training"].get<bool>() ? "yes (LibTorch, CPU)" : "no: built with APICAL_TRAIN=OFF");
  const auto sets = j["data"].get<std::vector<std::string>>();
  line("data", j["data_folder"].is_null() ? "APICAL_DATA is not set; recipes use their synthetic twins"
                                           : (sets.empty() ? "nothing" : join(sets, ", ")) + " in " + j["data_folder"].get<std::string>());
  line("cache", j["cache_folder"].get<std::string>());
  for (const auto& p : f.problems) std::printf("PROBLEM    %s. %s\n", p["what"].get<std::string>().c_str(), p["hint"].get<std::string>().c_str());
  if (f.problems.empty()) std::printf("Everything is in order.\n");
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto* sub = app.add_subcommand("doctor", "Is this machine ready, and how fast is it");
  auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "One JSON document on standard output");
  sub->footer(R"(Examples:
  apical doctor              what is here, what is missing, what to do about it
  apical doctor --json       the same for a program; exit code 1 when there is a problem)");
  sub->callback([json] {
    Findings f;
    look_at_machine(f);
    look_at_training(f);
    look_at_files(f);
    look_at_tools(f);
    if (*json) {
      f.facts["problems"] = f.problems;
      std::printf("%s\n", f.facts.dump(2).c_str());
    } else {
      print(f);
    }
    if (!f.problems.empty()) throw Exit{1};
  });
}

}  // namespace apical::cli
