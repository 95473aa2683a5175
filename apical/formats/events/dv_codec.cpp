#include "apical/formats/events/dv_codec.h"

#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "apical/base/error.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t step = std::size_t{1} << 16;  // a block of LZ4: with less room it is unpacked elsewhere and copied
constexpr int largest_zstd_window = 26;  // bits; what ZSTD_decompressStream may allocate

// Makes room for `step` more bytes behind `used`; false when the limit (and one byte, to notice) is reached.
bool grow(std::vector<std::uint8_t>& out, std::size_t used, std::size_t limit) {
  if (used > limit) return false;
  if (out.size() - used < step) out.resize(std::max(out.size(), std::min(limit + 1, used + std::max(step, used))));
  return out.size() > used;
}

DvUnpacked unpacked(const std::vector<std::uint8_t>& out, std::size_t used, std::size_t limit) {
  if (used > limit) return {DvUnpack::too_long, {}};
  return {DvUnpack::good, std::span(out).first(used)};
}

using Lz4Context = std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)>;
DvUnpacked unpack_lz4(std::span<const std::uint8_t> packed, std::vector<std::uint8_t>& out, std::size_t limit) {
  thread_local const Lz4Context context = [] {  // kept: it is larger than many a packet
    LZ4F_dctx* raw = nullptr;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) throw internal_error("no memory for LZ4");
    return Lz4Context(raw, LZ4F_freeDecompressionContext);
  }();
  LZ4F_resetDecompressionContext(context.get());
  std::size_t used = 0, at = 0, hint = 1;
  while (hint != 0) {
    if (!grow(out, used, limit)) return {DvUnpack::too_long, {}};
    std::size_t produced = out.size() - used, consumed = packed.size() - at;
    hint = LZ4F_decompress(context.get(), out.data() + used, &produced, packed.data() + at, &consumed, nullptr);
    if (LZ4F_isError(hint)) return {DvUnpack::damaged, {}};
    used += produced;
    at += consumed;
    if (produced == 0 && consumed == 0 && hint != 0) return {DvUnpack::cut_off, {}};
  }
  return unpacked(out, used, limit);
}

DvUnpacked unpack_zstd(std::span<const std::uint8_t> packed, std::vector<std::uint8_t>& out, std::size_t limit) {
  thread_local const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (!stream) throw internal_error("no memory for zstd");
  ZSTD_DCtx_reset(stream.get(), ZSTD_reset_session_only);
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, largest_zstd_window);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t used = 0, hint = 1;
  while (hint != 0) {
    if (!grow(out, used, limit)) return {DvUnpack::too_long, {}};
    ZSTD_outBuffer to{out.data() + used, out.size() - used, 0};
    const std::size_t before = in.pos;
    hint = ZSTD_decompressStream(stream.get(), &to, &in);
    if (ZSTD_isError(hint)) return {DvUnpack::damaged, {}};
    used += to.pos;
    if (to.pos == 0 && in.pos == before && hint != 0) return {DvUnpack::cut_off, {}};
  }
  return unpacked(out, used, limit);
}

}  // namespace

DvUnpacked dv_unpack(int compression, std::span<const std::uint8_t> packed, std::vector<std::uint8_t>& memory, std::size_t limit) {
  if (compression == 1 || compression == 2) return unpack_lz4(packed, memory, limit);
  if (compression == 3 || compression == 4) return unpack_zstd(packed, memory, limit);
  if (packed.size() > limit) return {DvUnpack::too_long, {}};
  memory.assign(packed.begin(), packed.end());  // where flatbuffers may read numbers: the file's packets lie at any byte
  return {DvUnpack::good, memory};
}

std::vector<std::uint8_t> dv_pack(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> packed(LZ4F_compressFrameBound(bytes.size(), nullptr));
  const std::size_t n = LZ4F_compressFrame(packed.data(), packed.size(), bytes.data(), bytes.size(), nullptr);
  if (LZ4F_isError(n)) throw internal_error("LZ4 cannot pack a packet");
  packed.resize(n);
  return packed;
}

}  // namespace apical::formats::detail
