// Recordings in HDF5, in two layouts. Prophesee's (openeb, sdk/modules/stream): /CD/events, a compound of x, y, p and t in chunks packed
// by ECF, /CD/indexes, where every 2000 us begin, /EXT_TRIGGER/events, and the header of a RAW file as texts at the root. And columns, as
// DSEC has them: /events/x, y, p and t, times counted from the number t_offset.
#include "apical/formats/events/hdf5.h"

#include <algorithm>
#include <limits>

namespace apical::formats::detail {
namespace {

constexpr const char* names[] = {"t", "x", "y", "p"};
constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

bool is_prophesee(const std::array<Hdf5Field, 4>& fields, std::size_t row_bytes) {
  static constexpr std::size_t offsets[] = {8, 0, 2, 4};
  static constexpr int bytes[] = {8, 2, 2, 2};
  for (std::size_t k = 0; k < 4; ++k)
    if (fields[k].offset != offsets[k] || fields[k].bytes != bytes[k] || fields[k].is_signed != (k == 0 || k == 3)) return false;
  return row_bytes == 16;
}

// Rows of any compound; x and y beyond 16 bits are outside of every sensor.
std::uint64_t take_rows(const std::vector<std::uint8_t>& bytes, std::size_t n, std::size_t row_bytes,
                        const std::array<Hdf5Field, 4>& fields, EventRows& rows) {
  rows.resize(n);
  const std::uint8_t* row = bytes.data();
  if (is_prophesee(fields, row_bytes)) {
    std::int64_t* t = rows.t.data();
    std::uint16_t *x = rows.x.data(), *y = rows.y.data();
    std::uint8_t* p = rows.p.data();
    for (std::size_t i = 0; i < n; ++i, row += 16) {
      t[i] = load_le<std::int64_t>(row + 8);
      x[i] = load_le<std::uint16_t>(row);
      y[i] = load_le<std::uint16_t>(row + 2);
      p[i] = load_le<std::int16_t>(row + 4) > 0;
    }
    return 0;
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < n; ++i, row += row_bytes) {
    const std::int64_t x = fields[1].at(row), y = fields[2].at(row);
    if (x < 0 || y < 0 || ((x | y) >> 16) != 0) continue;
    rows.t[size] = fields[0].at(row);
    rows.x[size] = static_cast<std::uint16_t>(x);
    rows.y[size] = static_cast<std::uint16_t>(y);
    rows.p[size++] = fields[3].at(row) > 0;
  }
  rows.size = size;
  return n - size;
}

std::uint64_t keep_inside(EventRows& rows, int width, int height) {
  if (width <= 0 || height <= 0) return 0;
  unsigned largest_x = 0, largest_y = 0;
  for (std::size_t i = 0; i < rows.size; ++i) {
    largest_x = std::max<unsigned>(largest_x, rows.x[i]);
    largest_y = std::max<unsigned>(largest_y, rows.y[i]);
  }
  if (largest_x < static_cast<unsigned>(width) && largest_y < static_cast<unsigned>(height)) return 0;
  std::size_t size = 0;
  for (std::size_t i = 0; i < rows.size; ++i) {
    if (rows.x[i] >= width || rows.y[i] >= height) continue;
    rows.t[size] = rows.t[i];
    rows.x[size] = rows.x[i];
    rows.y[size] = rows.y[i];
    rows.p[size++] = rows.p[i];
  }
  const std::uint64_t outside = rows.size - size;
  rows.size = size;
  return outside;
}

}  // namespace

Hdf5Reader::Handles::~Handles() {
  const Hdf5Lock lock;
  sets.clear();
  file.reset();
}

Hdf5Reader::Hdf5Reader(std::shared_ptr<ByteSource> source) : ReaderBase(source, EventFormat::hdf5) {
  held_.fill(none);
  const Hdf5Lock lock;
  handles_.bytes.source = std::move(source);
  handles_.file = open_hdf5(handles_.bytes);
  for (const auto& [name, text] : hdf5_texts(*handles_.bytes.source)) info_.header.push_back("% " + name + " " + text);
  if (hdf5_has(handles_.file, "CD/events"))
    open_prophesee(handles_.file);
  else if (hdf5_has(handles_.file, "events/t"))
    open_columns(handles_.file);
  else
    throw data_error("the HDF5 file has neither /CD/events nor /events/t", in_.source().name(),
                     "Prophesee's layout and columns x, y, p, t below /events are read.");
  sensor_from_header(info_);
  info_.declared = handles_.sets[0]->rows();
}

Hdf5Dataset& Hdf5Reader::add(const std::string& path) {
  handles_.sets.push_back(std::make_unique<Hdf5Dataset>(handles_.bytes, handles_.file, path));
  return *handles_.sets.back();
}

void Hdf5Reader::open_prophesee(hid_t root) {
  const Hdf5Dataset& events = add("CD/events");
  for (std::size_t k = 0; k < 4; ++k) {
    const Hdf5Field* field = events.field(names[k]);
    if (!field)
      throw data_error("CD/events has no whole numbers '" + std::string(names[k]) + "'", in_.source().name(), "Events are x, y, p and t.");
    fields_[k] = *field;
  }
  if (events.is_ecf()) {
    if (!is_prophesee(fields_, events.row_bytes()))
      throw data_error("CD/events is packed by ECF, but holds other events than it can", in_.source().name());
    info_.format = EventFormat::hdf5_ecf;
  }
  if (hdf5_has(root, "EXT_TRIGGER/events")) info_.special = Hdf5Dataset(handles_.bytes, root, "EXT_TRIGGER/events").rows();
}

void Hdf5Reader::open_columns(hid_t root) {
  for (std::size_t k = 0; k < 4; ++k) {
    const std::string path = "events/" + std::string(names[k]);
    if (!hdf5_has(root, path))
      throw data_error("the HDF5 file has no " + path, in_.source().name(), "Columns x, y, p and t below /events are read.");
    const Hdf5Dataset& set = add(path);
    if (set.is_ecf() || set.fields().size() != 1 || !set.fields()[0].name.empty() || set.rows() != handles_.sets[0]->rows())
      throw data_error(path + " has " + std::to_string(set.rows()) + " rows that are no column of the " +
                           std::to_string(handles_.sets[0]->rows()) + " events",
                       in_.source().name());
    fields_[k] = set.fields()[0];
  }
  if (!hdf5_has(root, "t_offset")) return;
  const Hdf5Dataset offset(handles_.bytes, root, "t_offset");
  if (offset.rows() != 1 || offset.fields().size() != 1 || offset.is_chunked())
    throw data_error("t_offset is not one number", in_.source().name());
  offset.fetch(0, pieces_[0]);
  origin_ = offset.fields()[0].at(pieces_[0].bytes.data());
}

std::uint64_t Hdf5Reader::unpack(std::uint64_t number, Hdf5Dataset::Piece& piece, EventRows& rows) const {
  const Hdf5Dataset& set = *events();
  std::uint64_t outside = 0;
  if (!set.unpack(number, piece, &rows)) outside = take_rows(piece.bytes, set.rows_in(number), set.row_bytes(), fields_, rows);
  return outside + keep_inside(rows, info_.width, info_.height);
}

bool Hdf5Reader::decode() {
  const bool more = events() ? decode_piece() : decode_columns();
  show_progress();
  return more;
}

bool Hdf5Reader::decode_piece() {
  const Hdf5Dataset& set = *events();
  if (next_ >= set.pieces()) return false;
  set.fetch(next_, pieces_[0]);
  info_.outside += unpack(next_, pieces_[0], rows_);
  for (std::size_t i = 0; i < rows_.size; ++i) batch_.push_back({rows_.t[i], rows_.x[i], rows_.y[i], rows_.p[i]});
  ++next_;
  return true;
}

// The columns may have chunks of different sizes: as many events as all of the chunks at hand have.
bool Hdf5Reader::decode_columns() {
  std::uint64_t n = std::min(handles_.sets[0]->rows() - next_, hdf5_chunk_events);
  if (n == 0) return false;
  const std::uint8_t* at[4];
  for (std::size_t k = 0; k < 4; ++k) {
    const Hdf5Dataset& set = *handles_.sets[k];
    const std::uint64_t number = next_ / set.piece_rows(), row = next_ % set.piece_rows();
    if (held_[k] != number) {
      held_[k] = none;
      set.fetch(number, pieces_[k]);
      set.unpack(number, pieces_[k], nullptr);
      held_[k] = number;
    }
    n = std::min<std::uint64_t>(n, set.rows_in(number) - row);
    at[k] = pieces_[k].bytes.data() + row * set.row_bytes();
  }
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::int64_t t = fields_[0].at(at[0]), x = fields_[1].at(at[1]), y = fields_[2].at(at[2]);
    if (x < 0 || y < 0 || ((x | y) >> 16) != 0)
      ++info_.outside;
    else  // a hostile sum may overflow
      emit(static_cast<std::int64_t>(static_cast<std::uint64_t>(t) + static_cast<std::uint64_t>(origin_)), static_cast<std::uint32_t>(x),
           static_cast<std::uint32_t>(y), fields_[3].at(at[3]) > 0);
    for (std::size_t k = 0; k < 4; ++k) at[k] += handles_.sets[k]->row_bytes();
  }
  next_ += n;
  return true;
}

// Chunks lie anywhere in the file; events read stand for bytes read.
void Hdf5Reader::show_progress() {
  const std::uint64_t all = handles_.sets[0]->rows(), done = std::min(all, events() ? next_ * events()->piece_rows() : next_);
  const double part = all == 0 ? 1 : static_cast<double>(done) / static_cast<double>(all);
  const auto position = static_cast<std::uint64_t>(part * static_cast<double>(in_.size()));
  if (position > in_.offset()) in_.skip(position - in_.offset());
}

std::unique_ptr<EventReader> open_hdf5_events(std::shared_ptr<ByteSource> source) {
  return std::make_unique<Hdf5Reader>(std::move(source));
}

}  // namespace apical::formats::detail
