#include "cli/frame.h"

#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"
#include "apical/recipe/driver.h"
#include "cli/verbs.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace apical::cli {
namespace {

const std::map<std::string, std::string> groups = {
    {"run", "Train and judge"},       {"verify", "Train and judge"},    {"sweep", "Train and judge"},  {"train", "Train and judge"},  {"recipes", "Train and judge"},
    {"infer", "Use a trained model"}, {"quantise", "Use a trained model"}, {"compile", "Use a trained model"}, {"energy", "Use a trained model"},
    {"tune", "Use a trained model"},
    {"simulate", "Circuits"},         {"brain", "Circuits"},
    {"events", "Data and files"},     {"data", "Data and files"},
    {"doctor", "This machine"},       {"completion", "This machine"}};

// The deepest verb that was named on the command line.
const CLI::App& deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  for (auto named = at->get_subcommands(); !named.empty(); named = at->get_subcommands()) at = named.back();
  return *at;
}

std::string full_name(const CLI::App& app) {
  const std::string above = app.get_parent() ? full_name(*app.get_parent()) : std::string();
  return above.empty() ? app.get_name() : above + " " + app.get_name();
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  std::vector<const CLI::App*> out;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!sub->get_name().empty()) out.push_back(sub);
  return out;
}

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : verbs_of(app))
    if (!sub->get_group().empty()) names.push_back(sub->get_name());
  return names;
}

// Options of a verb and of those above it (--threads, --quiet).
std::vector<std::string> option_names(const CLI::App& app) {
  std::set<std::string> names;
  for (const CLI::App* at = &app; at; at = at->get_parent())
    for (const CLI::Option* option : at->get_options())
      for (const auto& name : option->get_lnames()) names.insert("--" + name);
  return {names.begin(), names.end()};
}

// One sentence for a wrong command line. CLI11 may complain about a missing argument first; a mistyped word explains more.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = deepest(app);
  const auto left = app.remaining(true);
  for (const auto& word : left)
    if (word.size() > 1 && word[0] == '-' && (&verb != &app || left.front() == word)) {
      const std::string name = word.substr(0, word.find('='));
      return "there is no option '" + name + "' in '" + full_name(verb) + "'. " + did_you_mean(name, option_names(verb));
    }
  if (!left.empty()) {
    const auto names = verb_names(verb);
    if (!names.empty()) return "there is no verb '" + left.front() + "' in '" + full_name(verb) + "'. " + did_you_mean(left.front(), names);
    return "'" + left.front() + "' is one argument too many for '" + full_name(verb) + "'.";
  }
  return std::string(error.what()) + ".";
}

int usage(const CLI::App& app, const CLI::ParseError& error) {
  log_error(explain(app, error) + " See " + full_name(deepest(app)) + " --help");
  return static_cast<int>(ExitCode::usage);
}

std::string one_line(std::string text) {
  text = text.substr(0, text.find('\n'));
  for (char& c : text)
    if (c == '\t') c = ' ';
  return text;
}

// CLI11 keeps the values of IsMember inside its description: "{a,b,c}" (or "a:{b,c}"); the formatter shows them as type name.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos || close <= open) return {};
  std::vector<std::string> out;
  for (const auto& c : CLI::detail::split(type.substr(open + 1, close - open - 1), ',')) out.push_back(CLI::detail::trim_copy(c));
  return out;
}

void write_tree(const CLI::App& app, const std::string& path, std::string& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    std::vector<std::string> names;
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    for (const auto& name : names)
      out += "option\t" + path + "\t" + name + "\t" + (option->get_items_expected_max() > 0 ? "1" : "0") + "\t" +
             one_line(option->get_description()) + "\n";
    for (const auto& value : choices_of(*option))
      out += "choice\t" + path + "\t" + (names.empty() ? "position" : names[0]) + "\t" + value + "\n";
  }
  for (const CLI::App* sub : verbs_of(app)) {
    if (sub->get_group().empty()) continue;
    const std::string below = path.empty() ? sub->get_name() : path + " " + sub->get_name();
    out += "verb\t" + below + "\t" + one_line(sub->get_description()) + "\n";
    write_tree(*sub, below, out);
  }
}

}  // namespace

void add_common(CLI::App& app) {
  app.fallthrough();
  app.set_version_flag("--version", std::string("apical ") + version(), "Print the version");
  app.add_option_function<int>("--threads", [](const int& n) { set_thread_count(n); }, "Threads to use (default: every core)")
      ->envname("APICAL_THREADS")
      ->type_name("N");
  app.add_flag_callback("--quiet", [] { set_log_level(LogLevel::warn); }, "No progress and no notes, only warnings and results");
}

void add_seeds(CLI::App& verb, std::vector<std::int64_t>& seeds) {
  auto* one = verb.add_option_function<std::uint64_t>(
      "--seed", [&seeds](std::uint64_t seed) { seeds = {static_cast<std::int64_t>(seed)}; }, "This seed alone (default: the seeds of expected.toml)");
  auto* some = verb.add_option_function<std::string>(
      "--seeds", [&seeds](const std::string& text) { seeds = recipe::parse_seeds(text); }, "These seeds: 1..10, or 1,2,5");
  one->type_name("N"), some->type_name("LIST")->excludes(one);
}

void group_verbs(CLI::App& app) {
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; }))
    if (const auto it = groups.find(sub->get_name()); it != groups.end()) sub->group(it->second);
}

namespace {

// A result that nobody got is no result: a full disk, a closed pipe.
int written() { return std::fflush(stdout) == 0 && !std::ferror(stdout) ? 0 : throw data_error("cannot write the result", "standard output"); }

// What the command line asks for; the exit code.
int parsed(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) std::fputs(app.help().c_str(), stdout);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return usage(app, error);
    std::ostringstream text;  // --help, --version
    app.exit(error, text, text);
    std::fputs(text.str().c_str(), stdout);
  }
  return written();
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit then is an error of write(), with a message, not the end
  try {
    if (::getenv("APICAL_SIMD")) kernels::simd_level();  // refuses a level this machine lacks
    return parsed(app, argc, argv);
  } catch (const Exit& exit) {
    std::fflush(stdout);
    return exit.code;
  } catch (const Error& error) {
    std::fflush(stdout);
    log_error(error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    log_error("not enough memory");
  } catch (const std::exception& error) {
    log_error(std::string("internal: ") + error.what());
  }
  return static_cast<int>(ExitCode::internal);
}

std::filesystem::path find_train() {
  const auto folder = self_path().parent_path();
  for (const auto& path : {folder / "apical-train", folder.parent_path() / "libexec" / "apical" / "apical-train"})
    if (::access(path.c_str(), X_OK) == 0) return path;
  return {};
}

bool blas_needs_help() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl"))
    return false;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return true;
  const unsigned family = (a >> 8) & 15, model = ((a >> 4) & 15) | ((a >> 12) & 0xf0);
  // Models for which OpenBLAS 0.3.21 (driver/others/dynamic.c) chooses AVX-512 kernels by itself.
  static const std::set<unsigned> known = {0x55, 0x6a, 0x6c, 0x7d, 0x7e, 0x8c, 0x8d, 0x8f, 0xa7};
  return !(__builtin_cpu_is("intel") && family == 6 && known.count(model));
#else
  return false;
#endif
}

bool set_blas_environment() {
  bool changed = false;
  // Threads that wait by spinning take the core from the thread they wait for: OpenBLAS for 20 ms after each product, OpenMP for
  // longer. A training step is a third faster when they sleep earlier.
  const std::pair<const char*, const char*> shorter[] = {{"OPENBLAS_THREAD_TIMEOUT", "4"}, {"GOMP_SPINCOUNT", "10000"}};
  for (const auto& [name, value] : shorter)
    if (!::getenv(name) && !::getenv("OMP_WAIT_POLICY")) {
      ::setenv(name, value, 1);
      changed = true;
    }
  if (!::getenv("OPENBLAS_CORETYPE") && blas_needs_help()) {
    ::setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
    changed = true;
  }
  if (!::getenv("OMP_DYNAMIC")) {  // a run that is resumed must use the same number of threads
    ::setenv("OMP_DYNAMIC", "false", 1);
    changed = true;
  }
  return changed;
}

std::string command_tree(const CLI::App& app) {
  std::string out;
  write_tree(app, "", out);
  return out;
}

}  // namespace apical::cli
