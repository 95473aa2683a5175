// AEDAT 4.0 of iniVation's DV: "#!AER-DAT4.0\r\n", an IOHeader, packets (stream id, size, compressed EventPacket), a FileDataTable.
// Everything but the magic and the packet heads is a size-prefixed flatbuffer; the header itself is never compressed.
// Source: iniVation, "AEDAT 4.0". Only the first stream of events is read; frames, inertial samples and triggers are counted and skipped.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "apical/formats/events/aedat4.h"
#include "apical/formats/events/dv_codec.h"
#include "apical/formats/events/dv_generated.h"
#include "apical/formats/events/dv_info.h"
#include "apical/formats/events/words.h"

namespace apical::formats::detail {
namespace {

constexpr std::string_view magic = "#!AER-DAT4.0\r\n";
constexpr std::size_t largest_header = std::size_t{1} << 24, events_per_packet = 10000;
static_assert(sizeof(dv::Event) == Aedat4Reader::event_size);
constexpr const char* cut_hint = "The file is cut off or damaged; copy or download it again.";

/// The root of a size-prefixed flatbuffer with this identifier, or nullptr when the bytes are no such thing.
template <class Table>
const Table* verified(std::span<const std::uint8_t> bytes, const char* identifier) {
  if (bytes.size() < 12 || load_le<std::uint32_t>(bytes.data()) > bytes.size() - 4) return nullptr;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 64, 1u << 24);
  if (!verifier.VerifySizePrefixedBuffer<Table>(identifier)) return nullptr;
  return flatbuffers::GetSizePrefixedRoot<Table>(bytes.data());
}

}  // namespace

Aedat4Reader::Aedat4Reader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::aedat4) {
  const auto head = in_.peek(magic.size());
  if (head.size() < magic.size() || std::memcmp(head.data(), magic.data(), magic.size()) != 0)
    throw in_.error("this is no AEDAT 4.0 file: it must begin with '#!AER-DAT4.0'");
  in_.skip(magic.size());
  read_io_header();
  info_.words = {{"event packets", 0}, {"other packets", 0}};
  read_table();
}

void Aedat4Reader::read_io_header() {
  std::vector<std::uint8_t> bytes(4);
  in_.take(bytes.data(), 4, "the size of its header");
  const auto size = load_le<std::uint32_t>(bytes.data());
  if (size > largest_header || size > in_.left())
    throw in_.error_at(magic.size(),
                       "the header claims " + std::to_string(size) + " bytes, of which " + std::to_string(in_.left()) + " are there",
                       cut_hint);
  bytes.resize(4 + size);
  in_.take(bytes.data() + 4, size, "its header");
  const auto* header = verified<dv::IOHeader>(bytes, "IOHE");
  if (!header) throw in_.error_at(magic.size(), "the header is damaged (no valid IOHE flatbuffer)", cut_hint);
  compression_ = static_cast<int>(header->compression());
  if (compression_ < 0 || compression_ > 4)
    throw in_.error_at(magic.size(), "compression " + std::to_string(compression_) + " is not known", "None, LZ4 and ZSTD are read.");
  end_ = in_.size();
  if (const auto table = header->dataTablePosition(); table >= 0) {
    if (static_cast<std::uint64_t>(table) > in_.size() || static_cast<std::uint64_t>(table) < in_.offset())
      throw in_.error_at(magic.size(),
                         "the table of packets should lie at byte " + std::to_string(table) + " of " + std::to_string(in_.size()),
                         cut_hint);
    end_ = static_cast<std::uint64_t>(table);
  }
  static constexpr const char* kinds[] = {"none", "LZ4", "LZ4_HIGH", "ZSTD", "ZSTD_HIGH"};
  info_.header = {"compression " + std::string(kinds[compression_])};
  if (!header->infoNode()) return;
  for (const DvStream& s : dv_streams(header->infoNode()->string_view())) {
    info_.header.push_back("stream " + std::to_string(s.id) + " " + s.type);
    known_streams_ = true;
    if (s.type != "EVTS" || stream_ >= 0) continue;
    stream_ = s.id;
    info_.width = s.width;
    info_.height = s.height;
  }
}

// The table only serves to tell how many events are promised, which is never trusted; a damaged one does not spoil the events.
void Aedat4Reader::read_table() {
  const std::uint64_t size = in_.size() - end_;
  if (size == 0 || size > dv_packet_limit) return;
  std::vector<std::uint8_t> packed(size), memory;
  if (in_.source().read_at(end_, packed.data(), packed.size()) != size) return;
  const auto [state, bytes] = dv_unpack(compression_, packed, memory);
  if (state != DvUnpack::good) return;
  const auto* table = verified<dv::FileDataTable>(bytes, "FTAB");
  if (!table || !table->table()) return;
  for (const dv::FileDataDefinition* entry : *table->table())
    if (entry->packetInfo() && (entry->packetInfo()->streamID() == stream_ || stream_ < 0))
      promised_.push_back(static_cast<std::uint64_t>(std::max<std::int64_t>(0, entry->numElements())));
  info_.declared = std::accumulate(promised_.begin(), promised_.end(), std::uint64_t{0});
}

Aedat4Reader::Packet Aedat4Reader::packet(std::uint64_t at, const std::uint8_t* head) const {
  if (end_ - at < head_size) throw in_.error_at(at, "the file ends inside the head of a packet", cut_hint);
  const auto id = load_le<std::int32_t>(head), size = load_le<std::int32_t>(head + 4);
  const std::uint64_t left = end_ - at - head_size;
  if (size < 0 || static_cast<std::uint64_t>(size) > left)
    throw in_.error_at(at, "a packet claims " + std::to_string(size) + " bytes; " + std::to_string(left) + " are left", cut_hint);
  const Packet p{at, id, static_cast<std::size_t>(size)};
  if (ours(p) && p.size > dv_packet_limit)
    throw in_.error_at(at, "a packet of " + std::to_string(size) + " bytes is longer than the limit");
  return p;
}

std::optional<std::span<const std::uint8_t>> Aedat4Reader::unpack(const Packet& p, std::span<const std::uint8_t> packed,
                                                                  std::vector<std::uint8_t>& memory) const {
  const auto [state, bytes] = dv_unpack(compression_, packed, memory);
  switch (state) {
    case DvUnpack::good:
      break;
    case DvUnpack::damaged:
      throw in_.error_at(p.at, "a packet cannot be unpacked", cut_hint);
    case DvUnpack::cut_off:
      throw in_.error_at(p.at, "the packed bytes of a packet are cut off", cut_hint);
    case DvUnpack::too_long:
      throw in_.error_at(p.at, "a packet unpacks to more than " + std::to_string(dv_packet_limit) + " bytes");
  }
  if (!known_streams_ && (bytes.size() < 12 || std::memcmp(bytes.data() + 8, "EVTS", 4) != 0 || (stream_ >= 0 && p.id != stream_)))
    return std::nullopt;
  const auto* packet = verified<dv::EventPacket>(bytes, "EVTS");
  if (!packet) throw in_.error_at(p.at, "a packet is damaged (no valid EVTS flatbuffer)", cut_hint);
  if (!packet->elements()) return std::span<const std::uint8_t>();
  // As bytes: the Verifier holds the length of the vector to its alignment, not the 8 bytes of its elements.
  return std::span(packet->elements()->Data(), packet->elements()->size() * event_size);
}

bool Aedat4Reader::decode() {
  if (in_.offset() >= end_) return false;
  const Packet p = packet(in_.offset(), in_.peek(head_size).data());
  in_.skip(head_size);
  if (!ours(p)) {
    ++info_.words[1].second;
    in_.skip(p.size);
    return true;
  }
  packed_.resize(p.size);
  in_.take(packed_.data(), packed_.size(), "a packet");
  const auto events = unpack(p, packed_, unpacked_);
  if (!events) {
    ++info_.words[1].second;
    return true;
  }
  stream_ = p.id;
  ++info_.words[0].second;
  for (auto rest = *events; !rest.empty();) {
    const std::size_t n = std::min(rest.size() / event_size, EventBlock::capacity);
    block_.size = 0;
    add_dv_events(rest.data(), n, block_);
    info_.outside += keep_inside(block_, info_.width, info_.height);
    pass_on(block_);
    rest = rest.subspan(n * event_size);
  }
  return true;
}

namespace {

class Aedat4Writer final : public WriterBase {
 public:
  Aedat4Writer(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::aedat4, width, height) {
    file_.write(magic);
    file_.write(io_header(-1));
    packet_.reserve(events_per_packet);
  }

 private:
  struct Entry {
    std::int64_t offset, elements, first, last;
    std::int32_t size;
  };
  static std::string text(const flatbuffers::FlatBufferBuilder& b) {
    return {reinterpret_cast<const char*>(b.GetBufferPointer()), b.GetSize()};
  }
  // Of the same length for any position, so that it can be written again at the end.
  std::string io_header(std::int64_t table) const {
    flatbuffers::FlatBufferBuilder b;
    b.ForceDefaults(true);
    const auto info = b.CreateString(dv_info(width_, height_));
    b.FinishSizePrefixed(dv::CreateIOHeader(b, dv::Compression_LZ4, table, info), "IOHE");
    return text(b);
  }
  void encode(const Event& e) override {
    packet_.emplace_back(e.t, static_cast<std::int16_t>(e.x), static_cast<std::int16_t>(e.y), e.polarity != 0);
    if (packet_.size() == events_per_packet) flush();
  }
  void flush() {
    if (packet_.empty()) return;
    flatbuffers::FlatBufferBuilder b(packet_.size() * sizeof(dv::Event) + 256);
    b.FinishSizePrefixed(dv::CreateEventPacket(b, b.CreateVectorOfStructs(packet_)), "EVTS");
    const auto packed = dv_pack({b.GetBufferPointer(), b.GetSize()});
    const auto size = static_cast<std::int32_t>(packed.size());
    put(std::int32_t{0});
    put(size);
    table_.push_back({static_cast<std::int64_t>(file_.size()), static_cast<std::int64_t>(packet_.size()), packet_.front().timestamp(),
                      packet_.back().timestamp(), size});
    file_.write(packed.data(), packed.size());
    packet_.clear();
  }
  void close() override {
    flush();
    const auto position = static_cast<std::int64_t>(file_.size());
    flatbuffers::FlatBufferBuilder b;
    std::vector<flatbuffers::Offset<dv::FileDataDefinition>> entries;
    for (const Entry& e : table_) {
      const dv::PacketHeader head(0, e.size);
      entries.push_back(dv::CreateFileDataDefinition(b, e.offset, &head, e.elements, e.first, e.last));
    }
    b.FinishSizePrefixed(dv::CreateFileDataTable(b, b.CreateVector(entries)), "FTAB");
    const auto packed = dv_pack({b.GetBufferPointer(), b.GetSize()});
    file_.write(packed.data(), packed.size());
    const std::string header = io_header(position);
    file_.write_at(magic.size(), header.data(), header.size());
  }

  std::vector<dv::Event> packet_;
  std::vector<Entry> table_;
};

}  // namespace

std::unique_ptr<EventReader> open_aedat4(std::shared_ptr<ByteSource> source) { return std::make_unique<Aedat4Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_aedat4(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Aedat4Writer>(path, width, height);
}

}  // namespace apical::formats::detail
