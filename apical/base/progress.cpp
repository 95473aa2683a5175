#include "apical/base/progress.h"

#include <unistd.h>

#include <cstdio>

#include "apical/base/log.h"
#include "apical/base/text.h"

namespace apical {
namespace {
bool bar_on_screen = false;
bool terminal() {
  static const bool tty = ::isatty(STDERR_FILENO) == 1;
  return tty;
}
}  // namespace

Progress::Progress(std::string title, std::uint64_t total, std::string unit)
    : title_(std::move(title)), unit_(std::move(unit)), total_(total), start_(Clock::now()), drawn_(start_) {}

Progress::~Progress() { finish(); }

void Progress::advance(std::uint64_t n) {
  done_ += n;
  draw(false);
}

void Progress::set_done(std::uint64_t done) {
  done_ = from_ = done;
  start_ = Clock::now();
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  draw(true);
  if (bar_on_screen) std::fputc('\n', stderr);
  bar_on_screen = false;
}

std::string Progress::line(const std::string& title, std::uint64_t done, std::uint64_t total, const std::string& unit, double rate,
                           const std::string& note) {
  std::string s = title + "  " + std::to_string(done);
  if (total) s += "/" + std::to_string(total);
  s += " " + unit;
  if (total) s += "  " + std::to_string(static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total))) + " %";
  if (rate > 0) s += "  " + number(rate, 3) + " " + unit + "/s";
  if (rate > 0 && total > done) s += "  ETA " + duration_text(static_cast<double>(total - done) / rate);
  if (!note.empty()) s += "  " + note;
  return s;
}

void Progress::clear_line() {
  if (bar_on_screen) std::fputs("\r\033[K", stderr);
}

void Progress::draw(bool force) {
  if (log_level() > LogLevel::info) return;
  const auto now = Clock::now();
  const double interval = terminal() ? 0.1 : 5.0;
  if (!force && std::chrono::duration<double>(now - drawn_).count() < interval) return;
  drawn_ = now;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done_ - from_) / elapsed : 0;
  const std::string text = line(title_, done_, total_, unit_, rate, note_);
  if (terminal()) {
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
    bar_on_screen = true;
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

}  // namespace apical
