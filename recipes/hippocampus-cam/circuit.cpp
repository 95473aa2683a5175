// The circuit, and what its operations mean.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "recipes/hippocampus-cam/cam.h"

namespace apical::cam {

using Kind = Operation::Kind;

Circuit circuit(const Options& o) {
  using enum Wires::Rule;
  const std::uint32_t n = o.cues, m = o.content;
  const auto slow = [](const char* name, std::uint32_t size, double v_th = -57) { return Cells{name, size, 0.27, 3, v_th}; };
  const auto fast = [](const char* name, std::uint32_t size) { return Cells{name, size, 0.14, 0.5, -57}; };
  Circuit c;
  c.cells = {slow("CueCue", n),  slow("ContCue", m),  fast("ContCond", m),  fast("ContCondInt", 1),      slow("ContCont", m),
             fast("CueCont", n), slow("MergeCue", n), slow("MergeCont", m), slow("Output", n + m, -57.5)};
  c.wires = {{-1, cue_cue, one_to_one, 6, 1},
             {-2, cont_cue, one_to_one, 6, 1},
             {cue_cue, cont_cue, all_to_all, 0, 1, true},
             {cont_cont, cue_cont, all_to_all, 0, 1, true},
             {cue_cue, cue_cont, one_to_one, 6, 2},
             {cue_cue, cue_cont, all_but_own, -o.cue_inhibition, 3},
             {cue_cont, cue_cont, all_but_own, -6, 2},
             {cue_cue, cont_cond, all_to_all, -6, 2},
             {cont_cue, cont_cond, one_to_one, 9, 1},
             {cont_cue, cont_cond_int, all_to_all, 6, 1},
             {cont_cond_int, cont_cond, all_to_all, 2, 1},
             {cont_cond, cont_cont, one_to_one, 6, 1},
             {cue_cue, merge_cue, one_to_one, 6, 3},
             {cont_cue, merge_cont, one_to_one, 6, 3},
             {cue_cont, merge_cue, one_to_one, 6, 1},
             {cont_cont, merge_cont, one_to_one, 6, 1},
             {merge_cue, output, one_to_one, 6, 1},    // to the first n
             {merge_cont, output, one_to_one, 6, 1}};  // to the others
  return c;
}

void check(const std::vector<Operation>& operations, const Options& o, const std::string& where) {
  for (std::size_t k = 0; k < operations.size(); ++k) {
    const Operation& op = operations[k];
    const std::string name = "operation " + std::to_string(k + 1);
    const auto refuse = [&](const std::string& what, const std::string& hint = {}) { return usage_error(name + ": " + what, where, hint); };
    const auto known = [&](const Neurons& given, std::uint32_t size, const std::string& what) {
      for (const auto i : given)
        if (i >= size) throw refuse("there is no " + what + " " + std::to_string(i), "They are 0 to " + std::to_string(size - 1) + ".");
      for (std::size_t i = 1; i < given.size(); ++i)
        if (given[i] <= given[i - 1]) throw refuse(what + " " + std::to_string(given[i]) + " stands twice, or not in ascending order");
    };
    known(op.cues, o.cues, "cue");
    known(op.content, o.content, "content neuron");
    if (op.kind != Kind::by_content && op.cues.size() != 1)
      throw refuse(std::to_string(op.cues.size()) + " cues in one " + (op.kind == Kind::learn ? "learn" : "recall"),
                   "Cues are orthogonal: exactly one.");
    if (op.kind == Kind::learn && op.content.empty())
      throw refuse("there is no content to learn", "It would only erase what the cue holds.");
    if (op.kind == Kind::by_content && op.content.empty()) throw refuse("a recall needs a cue or content");
    if (op.kind == Kind::by_cue ? !op.content.empty() : op.kind == Kind::by_content && !op.cues.empty())
      throw refuse("a recall is by a cue or by content, not by both");
    if (op.time < 0) throw refuse("its time is negative", std::to_string(op.time) + " ms");
    if (k == 0) continue;
    const bool learnt = operations[k - 1].kind == Kind::learn;
    const std::int64_t gap = op.time - operations[k - 1].time, least = learnt ? kAfterLearn : kAfterRecall;
    if (gap < least)
      throw refuse("comes " + std::to_string(gap) + " ms after the one before",
                   "At least " + std::to_string(least) + " ms after a " + (learnt ? "learn" : "recall") + ".");
  }
}

std::vector<Operation> read_operations(const std::filesystem::path& path, const Options& o, std::int64_t spacing) {
  const std::string where = path.string();
  const auto json = nlohmann::json::parse(read_text(path, std::size_t{1} << 26), nullptr, false);
  if (!json.is_array())
    throw data_error("operations are a JSON list", where, R"(For example [{"op": "learn", "cue": 0, "content": [1, 2]}])");
  std::vector<Operation> all;
  for (const auto& j : json) {
    const std::string name = "operation " + std::to_string(all.size() + 1);
    const auto refuse = [&](const std::string& what, const std::string& hint = {}) { return usage_error(name + ": " + what, where, hint); };
    if (!j.is_object()) throw refuse("is no JSON object");
    for (const auto& [key, value] : j.items())
      if (key != "op" && key != "time" && key != "cue" && key != "content")
        throw refuse("has no key '" + key + "'", did_you_mean(key, {"op", "time", "cue", "content"}));
    const auto whole = [&](const nlohmann::json& v, const char* what) {
      if (!v.is_number_integer() || v < 0 || v > std::int64_t{1} << 31) throw refuse(std::string(what) + " is no whole number from 0 up");
      return v.get<std::int64_t>();
    };
    const auto neurons = [&](const char* key) {  // one or a list
      Neurons all_of;
      if (!j.contains(key)) return all_of;
      for (const auto& v : j[key].is_array() ? j[key] : nlohmann::json::array({j[key]}))
        all_of.push_back(static_cast<std::uint32_t>(whole(v, key)));
      std::sort(all_of.begin(), all_of.end());
      return all_of;
    };
    const std::string op = j.contains("op") && j["op"].is_string() ? j["op"].get<std::string>() : "";
    if (op != "learn" && op != "recall") throw refuse("there is no op '" + op + "'", "Known: learn, recall.");
    Operation next;
    next.cues = neurons("cue"), next.content = neurons("content");
    next.kind = op == "learn" ? Kind::learn : j.contains("cue") ? Kind::by_cue : Kind::by_content;
    next.pulses = next.kind == Kind::learn ? 3 : 1;
    next.time = j.contains("time") ? whole(j["time"], "time") : all.empty() ? 0 : all.back().time + spacing;
    all.push_back(std::move(next));
  }
  check(all, o, where);
  return all;
}

std::vector<Neurons> expected_answers(const std::vector<Operation>& operations, const Options& o) {
  std::vector<Neurons> held(o.cues), all;
  for (const auto& op : operations) {
    all.emplace_back();
    if (op.kind == Kind::learn) held[op.cues[0]] = op.content;
    if (op.kind == Kind::by_cue) all.back() = held[op.cues[0]];
    if (op.kind == Kind::by_content)
      for (std::uint32_t c = 0; c < o.cues; ++c)
        if (std::any_of(op.content.begin(), op.content.end(),
                        [&](auto i) { return std::binary_search(held[c].begin(), held[c].end(), i); }))
          all.back().push_back(c);
  }
  return all;
}

std::vector<Neurons> answers(const std::vector<Operation>& operations, const std::vector<Spike>& spikes, const Options& o) {
  std::vector<Neurons> all;
  auto first = spikes.begin();
  for (const auto& op : operations) {
    all.emplace_back();
    first = std::find_if(first, spikes.end(), [&](const Spike& s) { return s.time >= op.time + 4; });
    if (op.kind == Kind::learn) continue;
    for (auto s = first; s != spikes.end() && s->time <= op.time + 9; ++s)
      if (s->population == output && (s->neuron < o.cues) == (op.kind == Kind::by_content))
        all.back().push_back(op.kind == Kind::by_content ? s->neuron : s->neuron - o.cues);
    std::sort(all.back().begin(), all.back().end());
    all.back().erase(std::unique(all.back().begin(), all.back().end()), all.back().end());
  }
  return all;
}

}  // namespace apical::cam
