#pragma once
// Spikes as bits. SpikeBits: rows of uint64 words, neuron n of a row is bit n % 64 of word n / 64 (least significant bit first);
// rows are padded to 64 bytes and the bits behind the last neuron are zero. SpikeList: ascending indices of the neurons that fired.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// Words of a row of `n` neurons: a multiple of 8 (64 bytes); 0 for n = 0.
constexpr std::size_t words_per_row(std::size_t n) noexcept { return (n + 511) / 512 * 8; }

/// [rows, n] floats, nonzero = spike (NaN too), to [rows, words_per_row(n)] words. Returns whether every value was 0 or 1.
bool pack_bits(const float* x, std::size_t rows, std::size_t n, std::uint64_t* bits) noexcept;
/// Bits to floats 0 and 1, [rows, n].
void unpack_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n, float* x) noexcept;
/// Number of spikes in `rows` rows.
std::uint64_t count_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n) noexcept;
/// Ascending indices of one row's spikes; `list` has room for n. Returns how many.
std::size_t bits_to_list(const std::uint64_t* bits, std::size_t n, std::uint32_t* list) noexcept;
/// SpikeBits [rows, words_per_row(n)] to those of the transpose, [n, words_per_row(rows)].
void transpose_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n, std::uint64_t* out) noexcept;
/// The same for rows of `words` and `out_words` words, on this thread; of the latter all are written.
void transpose_rows(const std::uint64_t* bits, std::size_t words, std::size_t rows, std::size_t n, std::uint64_t* out, std::size_t out_words) noexcept;
/// One row from a list of indices below n.
void list_to_bits(const std::uint32_t* list, std::size_t count, std::size_t n, std::uint64_t* bits) noexcept;

}  // namespace apical::kernels
