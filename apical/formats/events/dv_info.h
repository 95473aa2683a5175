#pragma once
// The description of streams inside an AEDAT 4 header: an XML text of nodes and attributes.
#include <string>
#include <string_view>
#include <vector>

namespace apical::formats::detail {

struct DvStream {
  int id = 0;
  std::string type;           ///< "EVTS", "FRME", "IMUS", "TRIG"
  int width = 0, height = 0;  ///< 0 when not said
};

/// The streams that lie under the node "outInfo", in order; damaged text gives those found before the damage.
std::vector<DvStream> dv_streams(std::string_view xml);
/// The description of one stream of events.
std::string dv_info(int width, int height);

}  // namespace apical::formats::detail
