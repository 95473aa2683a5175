#pragma once
// Neurons whose input currents are not kept for backward.
#include "apical/kernels/neurons/lif.h"
#include "apical/nn/layer.h"

namespace apical::nn {

/// What lif_scan(layer.run(x), v, {}, lif, surrogate) of neuron.h gives, in less memory: the currents of some hundred rows (steps times
/// batch) at a time are made, walked and dropped, and made again in backward. The price is a third run of the layer's product where there
/// were two. layer: without state, each frame for itself (dense, conv); x: not constant. Gradients reach x, v and the layer's parameters;
/// sums over rows are taken in another order. fired: not null, the number of spikes is written there.
std::pair<torch::Tensor, torch::Tensor> lif_recomputed(const std::shared_ptr<LayerImpl>& layer, const Sequence& x, const torch::Tensor& v,
                                                       const kernels::Lif& lif, const kernels::Surrogate& surrogate, std::uint64_t* fired = nullptr);

}  // namespace apical::nn
