#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/int_values.cpp"
#include "apical/kernels/int_values.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/kernels/bits.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kMagic = 12582912;  // 1.5 * 2^23: sums with it are whole numbers

// Both return how many values they did; the caller does the rest.
size_t quantise(const float* x, size_t n, float scale, int32_t* q) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto magic = hn::Set(d, kMagic), most = hn::Set(d, 127.0f), least = hn::Set(d, -127.0f);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    auto v = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, scale));
    v = hn::IfThenElseZero(hn::Eq(v, v), v);
    v = hn::Min(hn::Max(v, least), most);
    hn::StoreU(hn::ConvertTo(di, hn::Sub(hn::Add(v, magic), magic)), di, q + i);
  }
  return i;
}

size_t nonzero(const int32_t* q, size_t n, uint8_t* bytes) {
  const hn::ScalableTag<int32_t> d;
  constexpr size_t L = hn::MaxLanes(hn::ScalableTag<int32_t>()), step = std::max<size_t>(L, 8);
  size_t i = 0;
  for (; i + step <= n; i += step) {
    unsigned byte = 0;
    uint8_t part[8];
    for (size_t k = 0; k < step; k += L) {
      const auto s = hn::Ne(hn::LoadU(d, q + i + k), hn::Zero(d));
      if constexpr (L >= 8)
        hn::StoreMaskBits(d, s, bytes + i / 8);
      else
        hn::StoreMaskBits(d, s, part), byte |= (part[0] & ((1u << L) - 1)) << k;
    }
    if constexpr (L < 8) bytes[i / 8] = static_cast<uint8_t>(byte);
  }
  return i;
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {
HWY_EXPORT(quantise);
HWY_EXPORT(nonzero);
}  // namespace

void quantise_values(const float* x, std::size_t n, float scale, std::int32_t* q) noexcept {
  std::size_t i = scalar_level() ? 0 : HWY_DYNAMIC_DISPATCH(quantise)(x, n, scale, q);
  for (; i < n; ++i) {
    const float v = x[i] * scale;
    q[i] = v == v ? static_cast<std::int32_t>((std::clamp(v, -127.0f, 127.0f) + 12582912.0f) - 12582912.0f) : 0;
  }
}

void nonzero_bits(const std::int32_t* q, std::size_t n, std::uint64_t* bits) noexcept {
  std::fill(bits, bits + words_per_row(n), 0);
  auto* bytes = reinterpret_cast<std::uint8_t*>(bits);  // little endian, as every target of this build
  std::size_t i = scalar_level() ? 0 : HWY_DYNAMIC_DISPATCH(nonzero)(q, n, bytes);
  for (; i < n; ++i) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (q[i] != 0) << (i % 8));
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
