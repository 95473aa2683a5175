#include "apical/formats/events/dv_info.h"

#include "apical/formats/events/detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t deepest = 64, most_streams = 1024;

// The value of `key="..."` inside a tag.
std::string_view attribute(std::string_view tag, std::string_view key) {
  const std::string mark = " " + std::string(key) + "=\"";
  const auto at = tag.find(mark);
  if (at == std::string_view::npos) return {};
  const auto rest = tag.substr(at + mark.size());
  const auto end = rest.find('"');
  return end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
}

// Foreign text that will be shown on a terminal.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c < 0x20 || c > 0x7e) c = '?';
  return out;
}

}  // namespace

std::vector<DvStream> dv_streams(std::string_view xml) {
  std::vector<DvStream> streams;
  std::vector<std::string_view> path;  // names of the open nodes
  for (std::size_t at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at)) {
    const auto end = xml.find('>', at);
    if (end == std::string_view::npos) break;
    const std::string_view tag = xml.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.rfind("node", 0) == 0) {
      if (tag.back() == '/') continue;
      if (path.size() == deepest) break;
      path.push_back(attribute(tag, "name"));
      const bool is_stream = path.size() >= 2 && path[path.size() - 2] == "outInfo";
      if (const long id = whole_number(path.back(), 999999); is_stream && id >= 0 && streams.size() < most_streams)
        streams.push_back({static_cast<int>(id), {}, 0, 0});
    } else if (tag == "/node") {
      if (path.empty()) break;
      path.pop_back();
    } else if (tag.rfind("attr", 0) == 0 && !streams.empty()) {
      const bool of_stream = path.size() >= 2 && path[path.size() - 2] == "outInfo";
      const bool of_info = path.size() >= 3 && path[path.size() - 3] == "outInfo" && path.back() == "info";
      const auto key = attribute(tag, "key");
      const auto text = xml.substr(at, xml.find('<', at) - at);
      if (of_stream && key == "typeIdentifier") streams.back().type = printable(text.substr(0, 8));
      if (of_info && key == "sizeX") streams.back().width = static_cast<int>(std::max(0L, whole_number(text, 32768)));
      if (of_info && key == "sizeY") streams.back().height = static_cast<int>(std::max(0L, whole_number(text, 32768)));
    }
  }
  return streams;
}

std::string dv_info(int width, int height) {
  return "<dv version=\"2.0\">\n <node name=\"outInfo\" path=\"/mainloop/Recorder/outInfo/\">\n"
         "  <node name=\"0\" path=\"/mainloop/Recorder/outInfo/0/\">\n"
         "   <attr key=\"compression\" type=\"string\">LZ4</attr>\n"
         "   <attr key=\"originalModuleName\" type=\"string\">apical</attr>\n"
         "   <attr key=\"originalOutputName\" type=\"string\">events</attr>\n"
         "   <attr key=\"typeDescription\" type=\"string\">Array of events (polarity ON/OFF).</attr>\n"
         "   <attr key=\"typeIdentifier\" type=\"string\">EVTS</attr>\n"
         "   <node name=\"info\" path=\"/mainloop/Recorder/outInfo/0/info/\">\n"
         "    <attr key=\"sizeX\" type=\"int\">" +
         std::to_string(width) +
         "</attr>\n"
         "    <attr key=\"sizeY\" type=\"int\">" +
         std::to_string(height) +
         "</attr>\n"
         "    <attr key=\"source\" type=\"string\">apical</attr>\n"
         "   </node>\n  </node>\n </node>\n</dv>\n";
}

}  // namespace apical::formats::detail
