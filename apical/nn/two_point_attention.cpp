#include "apical/nn/two_point_attention.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"

namespace apical::nn {

using torch::Tensor;

TwoPointAttentionImpl::TwoPointAttentionImpl(const std::string& label, const TwoPointAttentionOptions& o, std::uint64_t seed) : label_(label), o_(o) {
  if (o.width < 1 || o.heads < 1 || o.width % o.heads || o.iterations < 1)
    throw usage_error("attention needs iterations >= 1 and heads that divide its width, not " + std::to_string(o.heads) + " of " + std::to_string(o.width), label);
  TwoPointOptions cells;
  cells.inputs = cells.cells = o.width;
  cells.proximal = o.proximal, cells.distal = o.distal ? o.width : 0;
  const std::int64_t K = std::max<std::int64_t>(1, o.width / 4);
  cells.universal = o.universal ? K : 0;
  cells.cell = o.cell;
  for (const char* kind : {"query", "key", "value"}) {
    kinds_.push_back(std::make_shared<TwoPointLayerImpl>(label + "." + kind, cells, seed));
    register_module(kind, kinds_.back());
  }
  const double width = static_cast<double>(o.width);
  if (o.universal) shared_ = register_parameter("shared", normal({K, o.width}, 0.1 / std::sqrt(width), Random(seed, label + ".shared")));
  output_ = register_parameter("output", uniform({o.width, o.width}, 1.0 / std::sqrt(width), Random(seed, label + ".output")));
  output_bias_ = register_parameter("output_bias", torch::zeros({o.width}));
}

std::vector<Tensor> TwoPointAttentionImpl::cells(const Tensor& x, std::vector<Transmission>* sent) const {
  if (x.dim() != 3 || x.size(2) != o_.width)
    throw usage_error("attention needs [B, tokens, " + std::to_string(o_.width) + "], not " + graph::shape_text(x.sizes().vec()), label_);
  const auto B = x.size(0), N = x.size(1);
  const auto rows = x.reshape({B * N, o_.width});
  std::vector<Tensor> r, h(kinds_.size());
  for (const auto& kind : kinds_) r.push_back(kind->receptive(rows, sent));
  Tensor u;
  for (std::int64_t i = 0; i < o_.iterations; ++i) {
    const std::string suffix = i + 1 == o_.iterations ? "" : ".pass" + std::to_string(i + 1);
    std::vector<Tensor> own(kinds_.size());
    for (std::size_t k = 0; k < own.size(); ++k) own[k] = shown(i == 0 ? r[k] : h[k]);
    Tensor of_row;  // u of the row's sample
    if (o_.universal) {
      const auto tokens = x.mean(1);
      if (sent) sent->push_back({label_ + ".shared" + suffix, Field::shared, true, tokens, shared_});
      auto sum = at::mm(tokens, shared_.t());
      if (u.defined()) sum = sum + o_.rho * u;
      u = shown(sum);
      of_row = u.repeat_interleave(N, 0);
    }
    for (std::size_t k = 0; k < own.size(); ++k) {
      const auto distal = o_.distal ? (own[(k + 1) % 3] + own[(k + 2) % 3]) / 2 : Tensor();
      h[k] = kinds_[k]->respond(r[k], kinds_[k]->context(own[k], distal, of_row, sent, suffix));
    }
  }
  for (auto& kind : h) kind = kind.view({B, N, o_.width});
  return h;
}

Tensor TwoPointAttentionImpl::forward(const Tensor& x, std::vector<Transmission>* sent) const {
  const auto h = cells(x, sent);
  const auto B = x.size(0), N = x.size(1), of_head = o_.width / o_.heads;
  const auto by_head = [&](const Tensor& t) { return t.view({B, N, o_.heads, of_head}).transpose(1, 2); };
  const auto weight = at::softmax(at::matmul(by_head(h[0]), by_head(h[1]).transpose(2, 3)) / std::sqrt(static_cast<double>(of_head)), 3);
  const auto y = at::matmul(weight, by_head(h[2])).transpose(1, 2).reshape({B, N, o_.width});
  return at::linear(y, output_, output_bias_);
}

}  // namespace apical::nn
