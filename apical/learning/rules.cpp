#include "apical/learning/rules.h"

#include <algorithm>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/text.h"

namespace apical::learning {
namespace {

BatchResult bptt(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const LossOptions& options) {
  network->detach_temporal(false);
  const auto steps = network->forward(x);
  torch::Tensor loss;
  if (options.kind == LossOptions::Kind::readout) {
    loss = at::cross_entropy_loss(network->readout(steps, x.T), labels, {}, at::Reduction::Mean, -100, options.label_smoothing);
  } else {
    for (const auto& step : steps.split(x.batch())) {
      const auto term = step_loss(step, labels, x.T, options);
      loss = loss.defined() ? loss + term : term;
    }
  }
  loss.backward();
  return {steps.detach(), loss.item<double>()};
}

BatchResult sltt(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const LossOptions& options,
                 const std::vector<std::int64_t>& learn) {
  network->detach_temporal(true);
  // The layers before the first neuron see the same frame at every step of a constant sequence: they run once, and their
  // backward once, on the sum of the steps' gradients.
  const std::size_t head = x.constant ? network->stateless_head() : 0, end = network->layers().size();
  const auto shown = network->run(x, 0, head);
  const nn::Sequence seen{head ? shown.frames.detach().requires_grad_() : x.frames, x.T, x.constant};
  nn::States states;
  std::vector<torch::Tensor> outputs;
  double total = 0;
  for (std::int64_t t = 0; t < x.T; ++t) {
    const bool learns = std::binary_search(learn.begin(), learn.end(), t);
    at::AutoGradMode mode(learns);
    const auto out = network->run({seen.at(t), 1, false}, head, end, &states).frames;
    const auto loss = step_loss(out, labels, x.T, options);
    if (learns) loss.backward();
    for (auto& v : states)
      if (v.defined()) v = v.detach();
    total += loss.item<double>();
    outputs.push_back(out.detach());
  }
  if (head && shown.frames.requires_grad()) shown.frames.backward(seen.frames.grad());
  return {at::cat(outputs), total};
}

}  // namespace

std::string name(Rule rule) {
  switch (rule) {
    case Rule::bptt: return "bptt";
    case Rule::sltt: return "sltt";
    case Rule::sltt_k: break;
  }
  return "sltt-k";
}

Rule rule_from(const std::string& word) {
  for (Rule r : {Rule::bptt, Rule::sltt, Rule::sltt_k})
    if (word == name(r)) return r;
  throw usage_error("there is no learning rule '" + word + "'", "rule", did_you_mean(word, {"bptt", "sltt", "sltt-k"}));
}

void check_rule(const RuleOptions& rule, std::int64_t T) {
  if (rule.rule == Rule::sltt_k && (rule.k < 1 || rule.k > T))
    throw usage_error("sltt-k learns at K steps with 1 <= K <= T", "K = " + std::to_string(rule.k) + ", T = " + std::to_string(T));
}

void check_rule(const RuleOptions& rule, const LossOptions& loss, const nn::NetworkImpl& network) {
  check_rule(rule, network.spec().T);
  if (!(loss.mse >= 0 && loss.mse <= 1)) throw usage_error("the share of the squared error must lie in 0..1", "mse = " + number(loss.mse));
  if (rule.rule == Rule::bptt) return;
  if (loss.kind != LossOptions::Kind::per_step)
    throw usage_error(name(rule.rule) + " needs a loss at every step", "loss", "Set loss = \"per_step\".");
  for (const auto& layer : network.layers())
    if (layer->mixes_time())
      throw usage_error(name(rule.rule) + " walks step by step, but layer '" + layer->label + "' mixes time steps", layer->label,
                        "Give its norm stats = \"step\".");
}

std::vector<std::int64_t> learning_steps(const RuleOptions& rule, std::int64_t T, std::uint64_t step) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(T));
  std::iota(all.begin(), all.end(), 0);
  if (rule.rule != Rule::sltt_k) return all;
  const auto order = permutation(static_cast<std::uint32_t>(T), Random(rule.seed, stream_id("sltt-k") + step));
  std::vector<std::int64_t> drawn(order.begin(), order.begin() + rule.k);
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

BatchResult accumulate_gradients(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& rule,
                                 const LossOptions& loss, std::uint64_t step) {
  network->training_step(step);
  if (rule.rule == Rule::bptt) return bptt(network, x, labels, loss);
  return sltt(network, x, labels, loss, learning_steps(rule, x.T, step));
}

}  // namespace apical::learning
