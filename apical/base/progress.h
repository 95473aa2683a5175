#pragma once
// Progress of a long job on standard error: a redrawn bar on a terminal, a plain line every few seconds elsewhere.
#include <chrono>
#include <cstdint>
#include <string>

namespace apical {

class Progress {
 public:
  /// `unit` is the plural of what is counted ("images", "steps"); total 0 means unknown.
  Progress(std::string title, std::uint64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::uint64_t n = 1);
  void advance_to(std::uint64_t done) { advance(done > done_ ? done - done_ : 0); }
  void set_done(std::uint64_t done);         ///< e.g. after a resume; rate and ETA count from here
  void note(std::string text) { note_ = std::move(text); }  ///< shown at the end of the line, e.g. "loss 0.12"
  void finish();

  /// The line for given numbers, without escape codes (what tests look at).
  static std::string line(const std::string& title, std::uint64_t done, std::uint64_t total, const std::string& unit, double rate,
                          const std::string& note);
  static void clear_line();

 private:
  void draw(bool force);
  using Clock = std::chrono::steady_clock;
  std::string title_, unit_, note_;
  std::uint64_t total_, done_ = 0, from_ = 0;
  Clock::time_point start_, drawn_;
  bool finished_ = false;
};

}  // namespace apical
