// Enhancement: clean log-mel bands from noisy ones and the picture.
#include <algorithm>
#include <cmath>

#include "apical/base/text.h"
#include "apical/formats/audio.h"
#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using torch::Tensor;

// [frames * bands] as a picture, low bands below.
std::string spectrogram(const Study& s, const Tensor& row, const std::string& title, double low, double high) {
  const auto bands = static_cast<std::int64_t>(s.train.front_end().settings().bands);
  const auto image = row.contiguous().view({-1, bands});
  report::Heat heat;
  heat.numbers = false, heat.min = low, heat.max = high;
  for (std::int64_t b = bands; b-- > 0;) {
    std::vector<double> line;
    for (std::int64_t t = 0; t < image.size(0); ++t) line.push_back(image[t][b].item<double>());
    heat.values.push_back(line);
    heat.rows.push_back(b % 6 == 0 ? std::to_string(b + 1) : "");
  }
  heat.columns.assign(static_cast<std::size_t>(image.size(0)), "");
  return report::heat_map(heat, axes(title, "time", "band", 300));
}

// The noisy sound with each band turned down to what the network took for clean.
std::vector<float> listen(const Study& s, const data::PairedSet& test, const data::PairSound& sound, const Tensor& noisy, const Tensor& estimate) {
  const auto& front = test.front_end();
  const auto bands = static_cast<std::size_t>(front.settings().bands), rows = front.frame_count(sound.noisy.size());
  std::vector<float> gain(front.width()), all(rows * bands);
  const float *was = noisy.data_ptr<float>(), *is = estimate.data_ptr<float>();
  for (std::size_t i = 0; i < gain.size(); ++i) {  // log powers in units of the band's deviation; a gain is of the amplitude
    const float deviation = s.statistics.std.empty() ? 1.0f : s.statistics.std[i % bands];
    gain[i] = std::exp(0.5f * std::min(0.0f, (is[i] - was[i]) * deviation));
  }
  data::resample_frames(gain, bands, rows, all);
  data::LogMel::Workspace workspace(front);
  return front.apply_band_gain(sound.noisy, all, workspace);
}

// One scale for all, so that their loudness can be compared and none is clipped.
void write_sounds(const Study& s, std::vector<std::pair<std::string, std::vector<float>>> sounds, int rate) {
  float peak = 1;
  for (const auto& [name, samples] : sounds)
    for (const float v : samples) peak = std::max(peak, std::abs(v));
  for (auto& [name, samples] : sounds) {
    for (float& v : samples) v /= peak;
    formats::write_audio(s.c.file(name), {rate, 1, std::move(samples)}, formats::AudioFormat::wav16);
  }
}

}  // namespace

void test_enhancement(const Study& s, std::vector<Run>& runs, const data::PairedSet& test) {
  if (runs.empty()) return;
  auto& r = s.c.result;
  auto& html = s.c.html;
  std::vector<report::Series> curves;
  report::Series noisy{"noisy input", s.snrs(), {}, {}, {}, true, true};
  double untouched = 0;
  std::vector<Drawn> drawn;
  for (const double snr : s.snrs()) {
    drawn.push_back(test_pairs(s, test, snr));
    noisy.y.push_back(at::mse_loss(drawn.back().audio, drawn.back().clean).item<double>());
    untouched += noisy.y.back() / static_cast<double>(s.snrs().size());
  }
  r.set("enhancement_mse_noisy", untouched);
  for (const auto& run : runs) {
    report::Series c{run.arm.name, s.snrs(), {}, {}, {}, false, true};
    double sum = 0;
    for (const auto& d : drawn) c.y.push_back(at::mse_loss(scores(run, d), d.clean).item<double>()), sum += c.y.back();
    r.set_seed("enhancement_mse_" + run.metric(), run.seed, sum / static_cast<double>(drawn.size()));
    curves.push_back(c);
    s.c.check_stop();
  }
  curves.push_back(noisy);
  html.section("Enhancement");
  html.figure(report::line_chart(curves, axes("Squared error of the clean bands", "signal to noise, dB", "mean squared error")),
              "Log-mel bands in units of their standard deviation over noisy training sounds.");

  // One sound, to see and to hear.
  auto p = s.pairs(1);
  p.snr_low = p.snr_high = 0;
  const Drawn d = test_pairs(s, test, 0);
  const auto sound = test.sound(p, 0, 0);
  const double low = d.clean[0].min().item<double>(), high = d.clean[0].max().item<double>();
  html.figure(spectrogram(s, d.clean[0], "Clean", low, high), "", false);
  html.figure(spectrogram(s, d.audio[0], "With noise, 0 dB", low, high), "", false);
  std::vector<std::pair<std::string, std::vector<float>>> sounds{{"clean.wav", sound.clean}, {"noisy.wav", sound.noisy}};
  for (const auto& run : runs) {
    const auto estimate = scores(run, d)[0];
    html.figure(spectrogram(s, estimate, "Estimate of " + run.arm.name, low, high), "", false);
    sounds.emplace_back("estimate_" + run.metric() + ".wav", listen(s, test, sound, d.audio[0], estimate));
  }
  write_sounds(s, std::move(sounds), sound.sample_rate);
  html.paragraph("Sound: clean.wav, noisy.wav and estimate_*.wav in the folder of the run; an estimate is the noisy sound with each band turned down to what the network took for clean.");
}

}  // namespace apical::mcc
