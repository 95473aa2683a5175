#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/draws.cpp"
#include "apical/kernels/circuit/draws.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "apical/base/philox.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes: wider vectors would hold two groups.
using D = hn::CappedTag<uint32_t, 16>;
using D64 = hn::Repartition<uint64_t, D>;
using V = hn::Vec<D>;

#if HWY_TARGET != HWY_SCALAR
// High and low halves of the products of all lanes by one factor.
HWY_INLINE void multiply(V a, hn::Vec<D64> factor, V& high, V& low) {
  const D d;
  const D64 d64;
  const auto even = hn::MulEven(a, hn::BitCast(d, factor));
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), hn::BitCast(d, factor));
  high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}
#else
HWY_INLINE void multiply(V a, hn::Vec<hn::Sisd<uint64_t> > factor, V& high, V& low) {
  const uint64_t p = uint64_t{hn::GetLane(a)} * hn::GetLane(factor);
  high = hn::Set(D(), static_cast<uint32_t>(p >> 32)), low = hn::Set(D(), static_cast<uint32_t>(p));
}
#endif

// Words of the blocks block, block + 1, ... of a row, one a lane.
HWY_INLINE void philox(uint64_t seed, uint64_t stream, uint32_t row, uint32_t block, V* c) {
  const D d;
#if HWY_TARGET == HWY_SCALAR
  const hn::Sisd<uint64_t> d64;
#else
  const D64 d64;
#endif
  const auto m0 = hn::Set(d64, 0xD2511F53u), m1 = hn::Set(d64, 0xCD9E8D57u);
  c[0] = hn::Iota(d, block), c[1] = hn::Set(d, row);
  c[2] = hn::Set(d, static_cast<uint32_t>(stream)), c[3] = hn::Set(d, static_cast<uint32_t>(stream >> 32));
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    V high0, low0, high1, low1;
    multiply(c[0], m0, high0, low0);
    multiply(c[2], m1, high1, low1);
    c[0] = hn::Xor(hn::Xor(high1, c[1]), hn::Set(d, k0));
    c[2] = hn::Xor(hn::Xor(high0, c[3]), hn::Set(d, k1));
    c[1] = low1, c[3] = low0;
  }
}

void words(uint64_t seed, uint64_t stream, uint32_t row, uint32_t group, size_t groups, uint32_t* out) {
  const D d;
  const size_t L = hn::Lanes(d);
  for (size_t g = 0; g < groups; ++g, out += 64)
    for (size_t l = 0; l < 16; l += L) {
      V c[4];
      philox(seed, stream, row, static_cast<uint32_t>(16 * (group + g) + l), c);
      for (size_t w = 0; w < 4; ++w) hn::StoreU(c[w], d, out + 16 * w + l);
    }
}

template <class T>
void poisson(const PoissonTable& table, uint64_t seed, uint64_t stream, uint32_t step, size_t first, size_t n, T weight, T* to) {
  const D d;
  const hn::RebindToSigned<D> di;
  const size_t L = hn::Lanes(d), bounds = table.bounds.size();
  const int32_t* bound = table.bounds.data();
  const auto sign = hn::Set(d, 0x80000000u);
  for (size_t i = 0; i < n; i += 64, to += 64) {
    HWY_ALIGN int32_t count[64];
    for (size_t l = 0; l < 16; l += L) {
      V c[4];
      philox(seed, stream, step, static_cast<uint32_t>((first + i) / 4 + l), c);
      const auto u0 = hn::BitCast(di, hn::Xor(c[0], sign)), u1 = hn::BitCast(di, hn::Xor(c[1], sign));
      const auto u2 = hn::BitCast(di, hn::Xor(c[2], sign)), u3 = hn::BitCast(di, hn::Xor(c[3], sign));
      const auto one = hn::Set(di, 1);
      auto k0 = hn::Set(di, table.base), k1 = k0, k2 = k0, k3 = k0;
      for (size_t b = 0; b < bounds; ++b) {
        const auto t = hn::Set(di, bound[b]);
        k0 = hn::Add(k0, hn::IfThenElseZero(hn::Gt(u0, t), one));
        k1 = hn::Add(k1, hn::IfThenElseZero(hn::Gt(u1, t), one));
        k2 = hn::Add(k2, hn::IfThenElseZero(hn::Gt(u2, t), one));
        k3 = hn::Add(k3, hn::IfThenElseZero(hn::Gt(u3, t), one));
      }
      hn::StoreU(k0, di, count + l);
      hn::StoreU(k1, di, count + 16 + l);
      hn::StoreU(k2, di, count + 32 + l);
      hn::StoreU(k3, di, count + 48 + l);
    }
    for (size_t j = 0; j < 64; ++j) to[j] = to[j] + weight * static_cast<T>(count[j]);
  }
}
void poisson_float(const PoissonTable& table, uint64_t seed, uint64_t stream, uint32_t step, size_t first, size_t n, float weight,
                   float* to) {
  poisson(table, seed, stream, step, first, n, weight, to);
}
void poisson_double(const PoissonTable& table, uint64_t seed, uint64_t stream, uint32_t step, size_t first, size_t n, double weight,
                    double* to) {
  poisson(table, seed, stream, step, first, n, weight, to);
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(words);
HWY_EXPORT(poisson_float);
HWY_EXPORT(poisson_double);

void words_reference(std::uint64_t seed, std::uint64_t stream, std::uint32_t row, std::uint32_t group, std::size_t groups,
                     std::uint32_t* out) {
  const Random random(seed, stream);
  for (std::size_t b = 0; b < 16 * groups; ++b) {
    const auto block = random.block_at(std::uint64_t{row} << 32 | (16 * std::uint64_t{group} + b));
    for (std::size_t w = 0; w < 4; ++w) out[b / 16 * 64 + 16 * w + b % 16] = block[w];
  }
}

template <class T>
void poisson_reference(const PoissonTable& table, std::uint64_t seed, std::uint64_t stream, std::uint32_t step, std::size_t first,
                       std::size_t n, T weight, T* to) {
  for (std::size_t i = 0; i < n; i += 64) {
    std::uint32_t u[64];
    words_reference(seed, stream, step, static_cast<std::uint32_t>((first + i) / 64), 1, u);
    for (std::size_t j = 0; j < 64; ++j) {
      std::int32_t count = table.base;
      for (const std::int32_t bound : table.bounds) count += static_cast<std::int32_t>(u[j] ^ 0x80000000u) > bound;
      to[i + j] = to[i + j] + weight * static_cast<T>(count);
    }
  }
}

}  // namespace

PoissonTable::PoissonTable(double mean) {
  double cdf = 0;
  for (int k = 0;; ++k) {
    cdf += mean > 0 ? std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0)) : 1.0;
    const double bound = std::nearbyint(cdf * 0x1p32);
    if (bound >= 0x1p32 || k > 2 * mean + 200) return;
    if (bound == 0)
      base = k + 1;
    else
      bounds.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(bound) - 1 - (std::int64_t{1} << 31)));
  }
}

void random_words(std::uint64_t seed, std::uint64_t stream, std::uint32_t row, std::uint32_t group, std::size_t groups,
                  std::uint32_t* out) noexcept {
  scalar_level() ? words_reference(seed, stream, row, group, groups, out)
                 : HWY_DYNAMIC_DISPATCH(words)(seed, stream, row, group, groups, out);
}
void add_poisson(const PoissonTable& table, std::uint64_t seed, std::uint64_t stream, std::uint32_t step, std::size_t first, std::size_t n,
                 float weight, float* to) noexcept {
  scalar_level() ? poisson_reference(table, seed, stream, step, first, n, weight, to)
                 : HWY_DYNAMIC_DISPATCH(poisson_float)(table, seed, stream, step, first, n, weight, to);
}
void add_poisson(const PoissonTable& table, std::uint64_t seed, std::uint64_t stream, std::uint32_t step, std::size_t first, std::size_t n,
                 double weight, double* to) noexcept {
  scalar_level() ? poisson_reference(table, seed, stream, step, first, n, weight, to)
                 : HWY_DYNAMIC_DISPATCH(poisson_double)(table, seed, stream, step, first, n, weight, to);
}

}  // namespace apical::kernels
#endif
