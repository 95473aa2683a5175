#pragma once
// Attention between spikes, without softmax: sums over binary matrices, counted and not multiplied. Spiking self-attention (Zhou et al.,
// "Spikformer", ICLR 2023, eq. 6: SN(scale Q K^T V)), and the forms of spike-driven self-attention (Yao et al., "Spike-driven
// Transformer", NeurIPS 2023, eq. 12-13: Q * SN(sum over tokens of K * V); "Meta-SpikeFormer", ICLR 2024: SN(scale Q (K^T V))). The scale
// and the neurons behind are the caller's. Integers are exact, and with the gradients the same at every SIMD level and for any number of
// threads. Each head of each image is worked on by one thread.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

struct AttentionShape {
  std::size_t batch = 1;  ///< images, or images times steps
  std::size_t heads = 1;
  std::size_t tokens = 0;
  std::size_t width = 0;  ///< features of one head
};

/// Where the bits of Q, K or V lie: those of token n of image b from bit `first + (b * tokens + n) * stride` of `bits` on, head after head,
/// `width` bits each (bit k is bit k % 64 of word k / 64). Nothing is read but the words that hold them.
struct HeadBits {
  const std::uint64_t* bits;
  std::size_t stride;     ///< 64 * words_per_row(features) when each token is a row of SpikeBits; features when a step is
  std::size_t first = 0;  ///< where one row holds Q, K and V: 0, heads * width, 2 * heads * width
};

/// Which product comes first. The results are equal. K^T V: tokens * width^2 bits are compared, and a row of `width` sums is added for each
/// spike of Q; Q K^T: tokens^2 * width, and `tokens` sums for each spike of V. cheaper: K^T V unless width >= 256 and >= 4 * tokens.
enum class AttentionOrder : std::uint8_t { cheaper, kv_first, qk_first };

/// out[b, n, h * width + j] = sum over tokens m and features i of Q[n, i] K[m, i] V[m, j] of head h of image b.
/// out: int32 [batch, tokens, heads * width]. tokens * width < 2^31.
void bit_attention(const AttentionShape& shape, const HeadBits& q, const HeadBits& k, const HeadBits& v, std::int32_t* out,
                   AttentionOrder order = AttentionOrder::cheaper) noexcept;

/// Gradients of a loss with respect to Q, K and V as if they were real numbers, from grad_out = dL/dout; all four float
/// [batch, tokens, heads * width]: grad_q = G (K^T V)^T, grad_k = V (Q^T G)^T, grad_v = K (Q^T G).
void bit_attention_backward(const AttentionShape& shape, const HeadBits& q, const HeadBits& k, const HeadBits& v, const float* grad_out,
                            float* grad_q, float* grad_k, float* grad_v) noexcept;

/// sums[b, f] = number of tokens n at which both k[b, n, f] and v[b, n, f] are set; v null: k alone.
/// k, v: SpikeBits [batch * tokens, words_per_row(features)]; sums: int32 [batch, features].
void bit_token_sums(std::size_t batch, std::size_t tokens, std::size_t features, const std::uint64_t* k, const std::uint64_t* v,
                    std::int32_t* sums) noexcept;

/// The spikes of q[b, n, :] where mask[b, :] is set, as SpikeBits; mask: SpikeBits [batch, words_per_row(features)]. out may be q.
void bit_token_mask(std::size_t batch, std::size_t tokens, std::size_t features, const std::uint64_t* q, const std::uint64_t* mask,
                    std::uint64_t* out) noexcept;

}  // namespace apical::kernels
