#include "apical/formats/array.h"

#include <array>
#include <bit>

#include "apical/formats/bytes.h"

namespace apical::formats {
namespace {

struct TypeRow {
  const char* name;
  std::size_t size;
};
constexpr std::array<TypeRow, 13> types{{{"bool", 1},
                                         {"u8", 1},
                                         {"i8", 1},
                                         {"u16", 2},
                                         {"i16", 2},
                                         {"u32", 4},
                                         {"i32", 4},
                                         {"u64", 8},
                                         {"i64", 8},
                                         {"f16", 2},
                                         {"bf16", 2},
                                         {"f32", 4},
                                         {"f64", 8}}};

// IEEE 754 binary16, all values exactly.
float half(std::uint16_t h) {
  const std::uint32_t sign = std::uint32_t{h & 0x8000u} << 16;
  const std::uint32_t exponent = (h >> 10) & 31u, mantissa = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -subnormal : subnormal;
}

template <class T>
void widen(std::span<const std::uint8_t> bytes, std::vector<float>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(load_le<T>(bytes.data() + i * sizeof(T)));
}

}  // namespace

std::size_t size_of(DType dtype) noexcept { return types[static_cast<std::size_t>(dtype)].size; }
std::string name(DType dtype) { return types[static_cast<std::size_t>(dtype)].name; }

std::uint64_t checked_bytes(std::span<const std::uint64_t> shape, DType dtype, const std::string& where) {
  // Zeros are left out of the overflow check's product, so that [2^63, 2^63, 0] is refused too: strides would overflow.
  std::uint64_t product = size_of(dtype);
  bool empty = false;
  for (const std::uint64_t n : shape) {
    if (n == 0)
      empty = true;
    else if (__builtin_mul_overflow(product, n, &product))
      throw data_error("the shape " + shape_text(shape) + " has more bytes than 64 bits can count", where);
  }
  return empty ? 0 : product;
}

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + "]";
}

std::vector<float> to_float(DType dtype, std::span<const std::uint8_t> bytes) {
  std::vector<float> out(bytes.size() / size_of(dtype));
  switch (dtype) {
    case DType::boolean:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = bytes[i] != 0;
      break;
    case DType::u8:
      widen<std::uint8_t>(bytes, out);
      break;
    case DType::i8:
      widen<std::int8_t>(bytes, out);
      break;
    case DType::u16:
      widen<std::uint16_t>(bytes, out);
      break;
    case DType::i16:
      widen<std::int16_t>(bytes, out);
      break;
    case DType::u32:
      widen<std::uint32_t>(bytes, out);
      break;
    case DType::i32:
      widen<std::int32_t>(bytes, out);
      break;
    case DType::u64:
      widen<std::uint64_t>(bytes, out);
      break;
    case DType::i64:
      widen<std::int64_t>(bytes, out);
      break;
    case DType::f32:
      widen<float>(bytes, out);
      break;
    case DType::f64:
      widen<double>(bytes, out);
      break;
    case DType::f16:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = half(load_le<std::uint16_t>(bytes.data() + 2 * i));
      break;
    case DType::bf16:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = std::bit_cast<float>(std::uint32_t{load_le<std::uint16_t>(bytes.data() + 2 * i)} << 16);
      break;
  }
  return out;
}

void Array::check(const std::string& where) const {
  const std::uint64_t wanted = checked_bytes(shape, dtype, where);
  if (wanted != bytes.size())
    throw usage_error("an array of " + name(dtype) + " " + shape_text(shape) + " has " + std::to_string(wanted) + " bytes, not " +
                          std::to_string(bytes.size()),
                      where);
}

}  // namespace apical::formats
