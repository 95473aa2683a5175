#pragma once
// Private to the runtime: attention between the tokens of one sample, in plain loops whose order does not depend on the machine.
#include <cstddef>

namespace apical::runtime {

/// y = heads of softmax(Q K^T / sqrt(width / heads)) V; q, k, v, y: [tokens, width], a token's values side by side. `weights`: room for
/// `tokens` floats. Zeros of q are skipped.
void attention(const float* q, const float* k, const float* v, std::size_t tokens, std::size_t width, std::size_t heads, float* weights, float* y) noexcept;
/// Its products of two nonzero numbers: see graph::OpCounts.
double attention_products(const float* q, const float* k, const float* v, std::size_t tokens, std::size_t width) noexcept;

}  // namespace apical::runtime
