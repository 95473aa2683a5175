#pragma once
// The verbs of the two executables. `apical` starts without torch; `apical-train` holds the verbs that train and is started by
// `apical`. A verb is one file, cli/<verb>.cpp, which defines add_<verb>: it parses, calls the rooms and prints.
//
// For every verb, so do not define them again: --threads N (sets apical::set_thread_count) and --quiet (log level warn).
// Use sub->callback(...) (not parse_complete_callback), so that these two are known when a verb runs. Throw apical::Error to
// end with a message and its exit code, or Exit to end with a code after everything has been said.

namespace CLI {
class App;
}

namespace apical::cli {

/// Ends the program with a code and no further message, e.g. throw Exit{1} when a check failed and its table is printed.
struct Exit {
  int code;
};

// apical
void add_brain(CLI::App& app);
void add_compile(CLI::App& app);
void add_completion(CLI::App& app);
void add_data(CLI::App& app);
void add_doctor(CLI::App& app);
void add_energy(CLI::App& app);
void add_events(CLI::App& app);
void add_infer(CLI::App& app);
void add_quantise(CLI::App& app);
void add_simulate(CLI::App& app);
void add_tune(CLI::App& app);
void add_recipes(CLI::App& app);

// apical-train; the first three are apical's where training is not built
void add_run(CLI::App& app);
void add_sweep(CLI::App& app);
void add_verify(CLI::App& app);
void add_blas(CLI::App& app);  ///< hidden: what `apical doctor` asks about OpenBLAS
void add_train(CLI::App& app);

}  // namespace apical::cli
