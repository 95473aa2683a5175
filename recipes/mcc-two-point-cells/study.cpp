// Data, arms and training runs of the two-point cells.
#include "recipes/mcc-two-point-cells/study.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <sstream>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/learning/damage.h"

namespace apical::mcc {

using torch::Tensor;

std::vector<Tensor> Arm::streams(const Tensor& audio_in, const Tensor& image_in) const {
  std::vector<Tensor> x;
  if (audio) x.push_back(audio_in);
  if (visual) x.push_back(image_in);
  return x;
}

namespace {

std::span<float> floats(const Tensor& t) { return t.defined() ? std::span(t.data_ptr<float>(), static_cast<std::size_t>(t.numel())) : std::span<float>(); }

}  // namespace

Drawn draw(const data::PairedSet& pairs, const data::PairSettings& settings, const data::BandStatistics& statistics, std::uint64_t epoch, bool with_clean) {
  std::vector<std::uint32_t> all(pairs.size());
  std::iota(all.begin(), all.end(), 0u);
  const auto B = static_cast<std::int64_t>(all.size()), width = static_cast<std::int64_t>(pairs.audio_width());
  Drawn d{at::empty({B, width}), at::empty({B, static_cast<std::int64_t>(pairs.image_width())}), with_clean ? at::empty({B, width}) : Tensor(), {}};
  auto labels = at::empty({B}, torch::kInt32);
  pairs.draw(settings, statistics, all, epoch, floats(d.audio), floats(d.image), floats(d.clean), {labels.data_ptr<std::int32_t>(), all.size()});
  d.labels = labels.to(torch::kInt64);
  return d;
}

Drawn test_pairs(const Study& s, const data::PairedSet& test, double snr, bool conflict) {
  auto p = s.pairs(1);
  p.snr_low = p.snr_high = snr, p.conflict = conflict;
  return draw(test, p, s.statistics, 0);
}

Drawn joined(const std::vector<Drawn>& parts) {
  Drawn d;
  for (auto member : {&Drawn::audio, &Drawn::image, &Drawn::clean, &Drawn::labels}) {
    std::vector<Tensor> all;
    for (const auto& p : parts) all.push_back(p.*member);
    d.*member = at::cat(all);
  }
  return d;
}

Draws::Draws(const data::PairedSet& pairs, data::PairSettings settings, const data::BandStatistics& statistics)
    : pairs_(pairs), settings_(std::move(settings)), statistics_(statistics) {}

Drawn Draws::batch(std::span<const std::uint32_t> indices, std::uint64_t epoch) {
  if (epoch >= epochs_.size()) epochs_.resize(epoch + 1);
  Drawn& e = epochs_[epoch];
  if (!e.labels.defined()) {
    const bool known = epochs_[0].clean.defined();  // the same in every epoch
    e = draw(pairs_, settings_, statistics_, epoch, !known);
    if (known) e.clean = epochs_[0].clean;
  }
  auto rows = at::empty({static_cast<std::int64_t>(indices.size())}, torch::kInt64);
  std::copy(indices.begin(), indices.end(), rows.data_ptr<std::int64_t>());
  return {e.audio.index_select(0, rows), e.image.index_select(0, rows), e.clean.index_select(0, rows), e.labels.index_select(0, rows)};
}

std::string Run::metric() const { return arm.metric + (lambda_index ? "_lambda" + std::to_string(lambda_index) : ""); }

std::string Run::name() const {
  std::string n = arm.name + (lambda > 0 ? ", lambda " + number(lambda) : "") + ", seed " + std::to_string(seed);
  if (task == Task::enhancement) n = "enhancement: " + n;
  return killed ? n + ", damaged" : n;
}

data::PairSettings Study::pairs(std::uint64_t seed) const {
  data::PairSettings s;
  s.seed = seed;
  const auto range = c.config.reals("train_snr");
  if (range.size() != 2) throw usage_error("needs two numbers, the lowest and the highest", "train_snr");
  s.snr_low = range[0], s.snr_high = range[1];
  s.recorded = recorded_noise;
  s.babble = static_cast<int>(c.config.integer("noise.babble"));
  s.occluder = static_cast<int>(c.config.integer("noise.occluder"));
  s.image_sigma = static_cast<float>(c.config.real("noise.image_sigma"));
  return s;
}

report::Axes axes(const std::string& title, const std::string& x, const std::string& y, int height) {
  report::Axes a;
  a.title = title, a.x_label = x, a.y_label = y, a.height = height;
  return a;
}

kernels::Mtf mtf_from(const std::string& name, const std::string& where) {
  const std::vector<std::string> known{std::begin(kernels::mtf_names), std::end(kernels::mtf_names)};
  const auto at = std::find(known.begin(), known.end(), name);
  if (at != known.end()) return static_cast<kernels::Mtf>(at - known.begin());
  throw usage_error("there is no transfer function '" + name + "'; there are " + join(known, ", "), where, did_you_mean(name, known));
}

nn::MccSpec Study::spec(kernels::Mtf mtf) const {
  const auto net = c.config.table("net");
  nn::MccSpec s;
  s.inputs = {static_cast<std::int64_t>(train.audio_width()), static_cast<std::int64_t>(train.image_width())};
  s.layers = {net.integer("layers")};
  s.cells = net.integer("cells");
  s.outputs = static_cast<std::int64_t>(train.audio().classes.size());
  s.iterations = c.config.integer("iters");
  s.rho = net.real("rho");
  s.cell.mtf = mtf;
  s.cell.c_max = static_cast<float>(net.real("c_max"));
  s.proximal = s.distal = s.universal = false;
  for (const auto& f : c.config.texts("fields")) {
    if (f == "p") s.proximal = true;
    else if (f == "d") s.distal = true;
    else if (f == "u") s.universal = true;
    else throw usage_error("there is no field '" + f + "'", "fields", "Known: p (proximal), d (distal), u (universal).");
  }
  return s;
}

training::LoopOptions Study::options(std::uint64_t seed, double lr) const {
  const auto t = c.config.table("train");
  training::LoopOptions o;
  o.epochs = t.integer("epochs"), o.batch = t.integer("batch");
  o.optimizer.kind = "adamw";  // without decay: Adam
  o.optimizer.weight_decay = 0, o.optimizer.schedule = "constant";
  o.optimizer.lr = lr, o.optimizer.clip = t.real("clip");
  o.seed = seed;
  o.every_epoch = false;
  return o;
}

std::vector<Arm> arms_of(const Study& s) {
  using kernels::Mtf;
  const auto plain = [&](const std::string& name, const std::string& metric, bool audio, bool visual) {
    Arm a{name, metric, s.spec(Mtf::add), audio, visual};
    a.spec.proximal = a.spec.distal = a.spec.universal = false;
    if (!audio) a.spec.inputs = {a.spec.inputs[1]};
    if (!visual) a.spec.inputs = {a.spec.inputs[0]};
    return a;
  };
  const std::string mtf = s.c.config.text("mtf");
  std::vector<Arm> arms{{"add", "add", s.spec(Mtf::add)}, {mtf, mtf, s.spec(mtf_from(mtf, "mtf"))}};
  if (mtf == "add") throw usage_error("add is the control that every transfer function is compared with", "mtf", "Take another, e.g. coop.");
  if (s.c.config.text("arms") == "pair") return arms;
  arms.push_back(plain("audio only", "audio", true, false));
  arms.push_back(plain("visual only", "visual", false, true));
  arms.push_back(plain("no context", "no_context", true, true));
  for (const std::string name : kernels::mtf_names)
    if (name != "add" && name != mtf) arms.push_back({name, name, s.spec(mtf_from(name, "mtf"))});
  return arms;
}

nn::Survivors survivors_of(const nn::MccSpec& spec, double fraction, std::uint64_t mask) {
  nn::Survivors s(spec.inputs.size());
  for (std::size_t m = 0; m < s.size(); ++m) {
    const auto depth = spec.layers.size() == 1 ? spec.layers[0] : spec.layers[m];
    for (std::int64_t l = 0; l < depth; ++l)
      s[m].push_back(learning::survivors(spec.cells, fraction, mask, "stream" + std::to_string(m + 1) + "_layer" + std::to_string(l + 1)));
  }
  return s;
}

Tensor scores(const Run& run, const Drawn& d, const nn::Survivors* survivors, nn::MccTrace* trace) {
  torch::NoGradGuard no_grad;
  auto network = run.network;
  return network->forward(run.arm.streams(d.audio, d.image), survivors, trace);
}

double accuracy(const Tensor& scores, const Tensor& labels) { return scores.argmax(1).eq(labels).to(torch::kFloat64).mean().item<double>(); }

namespace {

class MccLoop : public training::Loop {
 public:
  MccLoop(const Study& s, Draws& draws, const Drawn& held_out, Run& run, const training::LoopOptions& o, const std::filesystem::path& checkpoint,
          recipe::MetricsLog* log, std::uint64_t log_start)
      : Loop(*run.network, draws.size(), o, checkpoint, log, run.name(), log_start), draws_(draws), held_out_(held_out), run_(run),
        every_(static_cast<std::uint64_t>(std::max<std::int64_t>(1, s.c.config.integer("train.measure_every")))) {
    if (run.killed) dead_ = survivors_of(run.network->spec(), s.killed_share(), static_cast<std::uint64_t>(run.seed));
  }

 protected:
  StepResult learn(std::span<const std::uint32_t> indices, std::uint64_t epoch, std::uint64_t step) override {
    const auto d = draws_.batch(indices, epoch);
    nn::MccTrace trace;
    const bool damaged = run_.killed && step >= total_steps() / 2;
    const auto y = run_.network->forward(run_.arm.streams(d.audio, d.image), damaged ? &dead_ : nullptr, run_.lambda > 0 ? &trace : nullptr);
    auto loss = run_.task == Task::recognition ? at::cross_entropy_loss(y, d.labels) : at::mse_loss(y, d.clean);
    const double shown = loss.item<double>();
    if (run_.lambda > 0) loss = loss + run_.lambda * mean_activity(trace);
    loss.backward();
    return {std::isfinite(shown) ? loss.item<double>() : shown, run_.task == Task::recognition ? y.argmax(1).eq(d.labels).sum().item<double>() : 0};
  }

  void stepped(std::uint64_t done) override {
    const bool just_damaged = run_.killed && done == total_steps() / 2;
    if (done % every_ == 0 || done == total_steps() || just_damaged) measure(done);
  }
  std::string facts() const override { return curve_text(run_.curve); }
  void restore(const std::string& facts) override { run_.curve = curve_of(facts); }
  std::string why_not_finite() override {
    nn::MccTrace trace;
    scores(run_, held_out_, nullptr, &trace);
    const std::string where = nn::first_not_finite(trace);
    return where.empty() ? "Try a smaller lr." : "The first value that is not finite: " + where + ". Try a smaller lr.";
  }

 private:
  static Tensor mean_activity(const nn::MccTrace& trace) {
    std::vector<Tensor> means;
    for (const auto& stream : trace.h)
      for (const auto& h : stream) means.push_back(h.mean());  // h >= 0, layers of one width
    return at::stack(means).mean();
  }
  void measure(std::uint64_t done) {
    const bool damaged = run_.killed && done >= total_steps() / 2;
    const auto y = scores(run_, held_out_, damaged ? &dead_ : nullptr);
    run_.curve.emplace_back(done, run_.task == Task::recognition ? accuracy(y, held_out_.labels) : -at::mse_loss(y, held_out_.clean).item<double>());
  }

  Draws& draws_;
  const Drawn& held_out_;
  Run& run_;
  nn::Survivors dead_;
  std::uint64_t every_;
};

}  // namespace

std::string curve_text(const Curve& curve) {
  std::string text;
  char buffer[64];
  for (const auto& [step, value] : curve) std::snprintf(buffer, sizeof buffer, "%llu %.17g ", static_cast<unsigned long long>(step), value), text += buffer;
  return text;
}

Curve curve_of(const std::string& text) {
  Curve curve;
  std::istringstream in(text);
  for (std::pair<std::uint64_t, double> p; in >> p.first >> p.second;) curve.push_back(p);
  return curve;
}

std::string file_name(std::string text) {
  for (char& ch : text)
    if (!std::isalnum(static_cast<unsigned char>(ch)) && ch != '.') ch = '-';
  return text;
}

std::uint64_t train(const Study& s, Draws& draws, const Drawn& held_out, Run& run, std::uint64_t log_start) {
  auto spec = run.arm.spec;
  if (run.task == Task::enhancement) spec.outputs = static_cast<std::int64_t>(s.train.audio_width());
  run.network = nn::MccNetwork(spec, static_cast<std::uint64_t>(run.seed));
  MccLoop loop(s, draws, held_out, run, s.options(static_cast<std::uint64_t>(run.seed), run.lr), s.c.file(file_name(run.name()) + ".checkpoint"), &s.c.metrics, log_start);
  loop.run(s.c.resume);
  run.steps = loop.total_steps();
  return loop.log_size();
}

}  // namespace apical::mcc
