// apical events info | convert | render: recordings of event cameras.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/data/event_representations.h"
#include "apical/formats/events/tools.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using namespace apical::formats;

constexpr const char* examples = R"(Examples:
  apical events info recording.aedat4
  apical events convert recording.raw recording.aedat4
  apical events convert davis.aedat4 part.raw --to evt3 --from-us 0 --to-us 500000 --rebase
  apical events convert digit.bin digit.npz
  apical events convert recording.raw recording.hdf5 --to hdf5_ecf
  apical events convert recording.raw voxels.npy --as voxels --window-us 50000 --bins 5
  apical events render recording.raw --out recording.png
  apical events render recording.raw --out frames --window-us 20000 --scale 2

Formats: AEDAT 2 and 3.1 (.aedat), AEDAT 4 (.aedat4), Prophesee DAT (.dat), EVT 2, 2.1 and 3 (.raw), Event Stream (.es), N-MNIST (.bin),
CSV with columns t, x, y, p (.csv), NumPy arrays t, x, y, p (.npz), HDF5 (.hdf5, .h5): Prophesee's layout, columns t, x, y, p are read too.
A .hdf5 is written with deflate; --to hdf5_ecf packs it as Prophesee's own tools want it.)";

// Shows how far the file is read, and ends the job when Ctrl-C asked for it.
EventTick ticking(const std::string& title) {
  install_stop_handler();
  auto progress = std::make_shared<std::unique_ptr<Progress>>();
  auto shown = std::make_shared<std::uint64_t>(0);
  return [=](std::uint64_t done, std::uint64_t total) {
    end_if_stopped();
    if (!*progress || done < *shown) {  // a second pass begins again
      *progress = std::make_unique<Progress>(title, total, "bytes");
      *shown = 0;
    }
    (*progress)->advance(done - *shown);
    *shown = done;
  };
}

nlohmann::ordered_json to_json(const std::string& file, const EventSummary& s) {
  nlohmann::ordered_json j;
  j["file"] = file;
  j["format"] = name(s.info.format);
  j["bytes"] = s.bytes;
  j["width"] = s.info.width;
  j["height"] = s.info.height;
  j["events"] = s.events;
  j["on"] = s.on;
  j["off"] = s.events - s.on;
  j["first_us"] = s.first_us;
  j["last_us"] = s.last_us;
  j["duration_s"] = s.duration_s;
  j["mean_rate_hz"] = s.mean_rate_hz;
  j["peak_rate_hz"] = s.peak_rate_hz;
  j["max_x"] = s.max_x;
  j["max_y"] = s.max_y;
  j["steps_back"] = s.info.steps_back;
  j["wraps"] = s.info.wraps;
  j["dropped"] = s.info.dropped;
  j["outside"] = s.info.outside;
  j["special"] = s.info.special;
  j["unknown_words"] = s.info.unknown_words;
  j["cut_bytes"] = s.info.cut_bytes;
  if (s.info.declared) j["declared"] = *s.info.declared;
  j["words"] = nlohmann::ordered_json::object();
  for (const auto& [kind, count] : s.info.words) j["words"][kind] = count;
  j["header"] = s.info.header;
  return j;
}

void line(const char* what, const std::string& value) { std::printf("%-14s%s\n", what, value.c_str()); }

void print(const std::string& file, const EventSummary& s) {
  line("file", file);
  line("format", name(s.info.format) + ", " + bytes_text(static_cast<double>(s.bytes)));
  line("sensor", s.info.width > 0 ? std::to_string(s.info.width) + " x " + std::to_string(s.info.height) : "not said");
  line("events", std::to_string(s.events) + " (" + std::to_string(s.on) + " ON, " + std::to_string(s.events - s.on) + " OFF)");
  if (s.events > 0) {
    line("largest", "x " + std::to_string(s.max_x) + ", y " + std::to_string(s.max_y));
    line("time", std::to_string(s.first_us) + " to " + std::to_string(s.last_us) + " us (" +
                     (s.duration_s < 1 ? si(s.duration_s, "s") : duration_text(s.duration_s)) + ")");
    line("mean rate", si(s.mean_rate_hz, "events/s"));
    line("peak rate", si(s.peak_rate_hz, "events/s") + " (over 10 ms)");
  }
  const auto some = [](const char* what, std::uint64_t n, const char* meaning) {
    if (n > 0) line(what, std::to_string(n) + " " + meaning);
  };
  some("steps back", s.info.steps_back, "events earlier than the one before");
  some("wraps", s.info.wraps, "times the clock of the file started again");
  some("dropped", s.info.dropped, "events before the first time or row");
  some("outside", s.info.outside, "events outside the sensor, left out");
  some("special", s.info.special, "triggers and other data, left out");
  some("unknown", s.info.unknown_words, "words of a kind the format does not define");
  for (const auto& [kind, count] : s.info.words) some("", count, kind.c_str());
}

void add_info(CLI::App& events) {
  auto* sub = events.add_subcommand("info", "What is in a recording: format, sensor, events, time, rate");
  auto file = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  sub->add_option("FILE", *file, "The recording")->required();
  sub->add_flag("--json", *json, "Print one JSON document");
  sub->callback([=] {
    const EventSummary s = summarise_events(*file, ticking("reading"));
    if (*json)
      std::printf("%s\n", to_json(*file, s).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    else
      print(*file, s);
  });
}

// --from-us and --to-us, shared by two verbs; -1 stands for the end.
struct RangeOptions {
  std::int64_t from = 0, to = -1;
  void add(CLI::App& sub) {
    sub.add_option("--from-us", from, "Begin this many microseconds after the first event")->check(CLI::NonNegativeNumber);
    sub.add_option("--to-us", to, "End (left out) this many microseconds after the first event")->check(CLI::NonNegativeNumber);
  }
  EventRange range() const { return {from, to < 0 ? std::nullopt : std::optional(to)}; }
};

// With --as: dense arrays in place of events.
void represent(const std::string& in, const std::string& out, const data::EventRepresentation& how) {
  if (std::filesystem::path(out).extension() != ".npy") throw usage_error("--as writes .npy files", out, "Let OUT end in .npy.");
  const data::EventRepresented done = data::represent_events(in, out, how, ticking("converting"));
  std::printf("%s: %s [%llu, %d, %d, %d] from %llu events\n", out.c_str(), how.as.c_str(), static_cast<unsigned long long>(done.frames),
              done.channels, done.height, done.width, static_cast<unsigned long long>(done.events));
}

void add_convert(CLI::App& events) {
  auto* sub = events.add_subcommand("convert", "Write a recording in another format, as NumPy arrays, or as frames, surfaces or voxels");
  struct Options {
    std::string in, out;
    EventConversion how;
    data::EventRepresentation dense;
    RangeOptions range;
  };
  auto o = std::make_shared<Options>();
  sub->add_option("IN", o->in, "The recording")->required();
  sub->add_option("OUT", o->out, "The file to write; its ending says the format: .aedat .aedat3 .aedat4 .dat .es .hdf5 .h5 .bin .csv .npz; .npy with --as")
      ->required();
  auto* to = sub->add_option("--to", o->how.to, join(event_format_names(), ", ") + " (needed for .raw)");
  auto* width = sub->add_option("--width", o->how.width, "Sensor width in pixels, when IN does not say it")->check(CLI::PositiveNumber);
  auto* height = sub->add_option("--height", o->how.height, "Sensor height in pixels")->check(CLI::PositiveNumber);
  o->range.add(*sub);
  auto* rebase = sub->add_flag("--rebase", o->how.rebase, "Let the times begin at 0");
  o->dense.as.clear();
  auto* as = sub->add_option("--as", o->dense.as,
                             "One array [frames, channels, height, width]: frames (counts of ON and OFF), surface (time surfaces of ON and OFF) or "
                             "voxels (voxel grid)");
  for (CLI::Option* other : {to, width, height, rebase}) as->excludes(other);
  sub->add_option("--window-us", o->dense.window_us, "Time gathered in one frame (default: all of it)")->check(CLI::PositiveNumber)->needs(as);
  sub->add_option("--per-frame", o->dense.per_frame, "Events gathered in one frame")->check(CLI::PositiveNumber)->needs(as);
  sub->add_option("--bins", o->dense.bins, "Time bins of a voxel grid")->capture_default_str()->needs(as);
  sub->add_option("--tau-us", o->dense.tau_us, "Time constant of a surface")->capture_default_str()->needs(as);
  sub->add_option("--max-frames", o->dense.max_frames, "Refuse to make more frames than this")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->needs(as);
  sub->callback([=] {
    o->how.range = o->dense.range = o->range.range();
    if (!o->dense.as.empty()) return represent(o->in, o->out, o->dense);
    if (o->how.to.empty()) o->how.to = conversion_for(o->out);
    const EventConverted done = convert_events(o->in, o->out, o->how, ticking("converting"));
    if (done.size_guessed)
      log_info(o->in + " does not say its sensor size; " + std::to_string(done.width) + "x" + std::to_string(done.height) +
               " holds its events (--width, --height to say another)");
    std::printf("%s: %llu events, %s, %dx%d\n", o->out.c_str(), static_cast<unsigned long long>(done.events), o->how.to.c_str(), done.width,
                done.height);
  });
}

void add_render(CLI::App& events) {
  auto* sub = events.add_subcommand("render", "Make pictures of a recording: PNG frames in a folder, or one animated PNG");
  struct Options {
    std::string in, out;
    EventRendering how;
    RangeOptions range;
  };
  auto o = std::make_shared<Options>();
  sub->add_option("FILE", o->in, "The recording")->required();
  sub->add_option("--out", o->out, "X.png: one animated picture; anything else: a new folder of frame_00000.png, ...")->required();
  sub->add_option("--window-us", o->how.window_us, "Time gathered in one frame")->capture_default_str();
  sub->add_option("--fps", o->how.fps, "Frames a second of the animated picture")->capture_default_str();
  sub->add_option("--scale", o->how.scale, "Screen pixels for one sensor pixel (default: enough for 256 on the longer side)");
  sub->add_option("--max-frames", o->how.max_frames, "Refuse to make more frames than this")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  o->range.add(*sub);
  sub->callback([=] {
    o->how.range = o->range.range();
    const EventRendered done = render_events(o->in, o->out, o->how, ticking("rendering"));
    std::printf("%s: %llu frames of %dx%d pixels from %llu events\n", o->out.c_str(), static_cast<unsigned long long>(done.frames),
                done.width, done.height, static_cast<unsigned long long>(done.events));
  });
}

}  // namespace

void add_events(CLI::App& app) {
  auto* events = app.add_subcommand("events", "Look at, convert and draw recordings of event cameras");
  events->require_subcommand(1);
  events->footer(examples);
  add_info(*events);
  add_convert(*events);
  add_render(*events);
}

}  // namespace apical::cli
