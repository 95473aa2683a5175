#pragma once
// A burst-dependent rule: cells send events (soma) whose share of bursts (apex) carries what is to be learnt, so that one stream of spikes
// holds both, and no separate backward pass is needed.
//   events    e[l] = sigmoid(W[l] e[l-1] + c[l]),   e[0] = x
//   bursts    b[l] = p[l] e[l]
//   output    p = 1/2; with the teacher p' = 1/2 + gain (target - e)(1 - e), gain <= 1/2 keeps it in 0..1
//   hidden    p = sigmoid(beta (1 - e) (Y[l] b[l+1])); with the teacher p' alike from b'[l+1]. Y: feedback weights to the apex
//   change    dW[l] = rate * (b'[l] - b[l]) e[l-1]^T,   dc[l] = rate * (b'[l] - b[l])
// A synapse sees its presynaptic events and its own cell's events and bursts: it is local. In the output (b' - b) / gain is the
// derivative of the squared error, exactly; with Y = W^T and a small gain the hidden layers have the direction of back-propagation.
// Source: Payeur, Guerguiev, Zenke, Richards and Naud, "Burst-dependent synaptic plasticity can coordinate learning in hierarchical
// circuits", Nature Neuroscience 24, 2021 (events, burst probabilities, plasticity by bursts against their mean); the rate form is our reading.
#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace apical::learning {

struct BurstSpec {
  std::vector<std::int64_t> sizes{2, 16, 1};  ///< inputs, hidden layers, outputs
  double beta = 1.0;                          ///< slope of the apex, > 0
  double gain = 0.5;                          ///< of the teacher, in (0, 0.5]
  bool symmetric = false;                     ///< Y = W^T; else Y is fixed and drawn at random
};

class BurstNetworkImpl : public torch::nn::Module {
 public:
  /// Weights are a function of (spec, seed). Usage errors: fewer than two sizes, sizes < 1, beta not > 0, gain outside (0, 0.5].
  BurstNetworkImpl(BurstSpec spec, std::uint64_t seed);

  /// Events of the outputs [B, sizes.back()] of x [B, sizes.front()].
  torch::Tensor forward(const torch::Tensor& x) const;
  /// Writes -(b' - b) e^T / (gain B) into .grad of every weight and bias (their direction of descent is the rule's change, for any
  /// optimiser) and returns the squared error, sum over outputs / 2, mean over samples. Usage error when shapes differ.
  double learn(const torch::Tensor& x, const torch::Tensor& target);

 private:
  std::vector<torch::Tensor> events(const torch::Tensor& x) const;  // e[0..L]
  torch::Tensor feedback(std::size_t layer) const;                  // Y from layer + 1 to `layer`, [cells of layer, cells above]

  BurstSpec spec_;
  std::vector<torch::Tensor> weight_, bias_, feedback_;
};
TORCH_MODULE(BurstNetwork);

}  // namespace apical::learning
