#pragma once
// Learning rules that fill .grad of a network's parameters for one batch: back-propagation through time, and spatial learning
// through time (SLTT: Meng et al., ICCV 2023, arXiv 2302.14311), which drops the temporal branch of the gradient so that memory
// does not grow with T.
#include <cstdint>
#include <string>

#include "apical/learning/loss.h"
#include "apical/nn/network.h"

namespace apical::learning {

enum class Rule {
  bptt,   ///< the whole sequence, one backward
  sltt,   ///< step by step: membrane detached, loss and backward at every step, gradients add up
  sltt_k  ///< like sltt, but only K of the T steps (drawn per batch without replacement) learn; the others run without a graph
};
std::string name(Rule rule);            ///< "bptt", "sltt", "sltt-k"
Rule rule_from(const std::string& name);  ///< usage error with a did-you-mean

struct RuleOptions {
  Rule rule = Rule::bptt;
  std::int64_t k = 1;        ///< of sltt_k
  std::uint64_t seed = 1;    ///< of the draws of sltt_k
};

/// Refuses K < 1 and K > T.
void check_rule(const RuleOptions& rule, std::int64_t T);
/// Refuses what the rule cannot do: also a loss that is not per step, and a layer that mixes time steps (by name).
void check_rule(const RuleOptions& rule, const LossOptions& loss, const nn::NetworkImpl& network);

/// The steps that learn in training step `step`, ascending (all of them unless sltt_k). A function of (seed, step) alone.
std::vector<std::int64_t> learning_steps(const RuleOptions& rule, std::int64_t T, std::uint64_t step);

struct BatchResult {
  torch::Tensor steps;  ///< outputs [T*B, K], detached
  double loss = 0;
};
/// Adds the gradients of one batch to the parameters' .grad. labels: [B] int64. The sum of sltt_k is not rescaled by T/K (code).
BatchResult accumulate_gradients(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& rule,
                                 const LossOptions& loss, std::uint64_t step);

}  // namespace apical::learning
