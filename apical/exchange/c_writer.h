#pragma once
// Private to exchange: what the C files of float networks (c_source.cpp) and of integer ones (c_integer.cpp) have in common: the order of
// elements, a place in the struct for every output, the frame of the text. In texts @P stands for the file's prefix, @U for the same in
// capitals.
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "apical/graph/graph.h"

namespace apical::exchange {

std::string identifier(const std::string& name);  ///< a C identifier made of it
std::string comment(const std::string& text);     ///< the text, as it may stand in a C comment: nothing in it can end one
std::string literal(float v);                     ///< the shortest text that reads back as this number
std::string literal(double v);
std::string literal(std::int64_t v);
inline std::string literal(std::int32_t v) { return literal(std::int64_t{v}); }
inline std::string literal(std::int16_t v) { return literal(std::int64_t{v}); }
inline std::string literal(std::int8_t v) { return literal(std::int64_t{v}); }
inline std::string str(std::size_t n) { return std::to_string(n); }
inline std::string str(std::int64_t n) { return std::to_string(n); }
inline std::string str(int n) { return std::to_string(n); }
void replace_all(std::string& text, const std::string& from, const std::string& to);

/// How the elements of a node lie: channel last, an image of [channels, plane]. {1, 1}: as in the graph.
struct COrder {
  std::size_t channels = 1, plane = 1;
  bool operator==(const COrder&) const = default;
  bool same() const { return channels == 1; }
  std::size_t graph_index(std::size_t i) const { return i % channels * plane + i / channels; }
  /// The same as a C expression of i, and its inverse.
  std::string to_graph(const std::string& i) const;
  std::string from_graph(const std::string& i) const { return COrder{plane, channels}.to_graph(i); }
};

/// The output of a node.
struct CItem {
  std::string at, type;  // the C expression of its first element's address, and of what type it is
  graph::Shape shape;
  std::size_t n = 0;
  COrder order;
  std::size_t source = 0;  // whose memory it is: its own, or its input's (flatten)
  std::size_t last = 0;    // the last node that reads it
  std::size_t first = 0;   // where it begins in the array of its type
  bool frame = false;      // it is the caller's frame
};

class CWriter {
 public:
  CWriter(const graph::Graph& graph, const std::string& name);
  virtual ~CWriter() = default;
  std::string run();

 protected:
  virtual std::string type(std::size_t node) const = 0;  // of the elements of its output; those before it are laid out
  virtual void emit(std::size_t node) = 0;               // adds to the texts below
  virtual std::string score() const = 0;                 // of element i of the output, a C expression
  virtual const char* head() const = 0;                  // the end of the file's comment, and its includes

  const CItem& in(std::size_t i, std::size_t k = 0) const { return items_[index_.at(graph_.nodes[i].inputs[k])]; }

  /// A constant array of C type `type`; returns its name.
  template <class V>
  std::string array(std::size_t node, const std::string& what, const std::string& type, const V& v) {
    const std::string name = name_ + "_" + what + str(node);
    tables_ += "\n/* " + comment(graph_.nodes[node].name) + " */\nstatic const " + type + " " + name + "[" + str(v.size()) + "] = {";
    for (std::size_t i = 0; i < v.size(); ++i) tables_ += (i % 12 ? " " : "\n    ") + literal(v[i]) + (i + 1 < v.size() ? "," : "");
    tables_ += "};\n";
    return name;
  }
  /// A field of the struct that a reset clears: T name[n].
  void state(const std::string& type, const std::string& name, std::size_t n, const std::string& what);
  /// for each element i of node k: statement
  void loop(std::size_t k, const std::string& statement) {
    step_ += "  for (long i = 0; i < " + str(items_[k].n) + "; ++i) " + statement + "\n";
  }
  /// The C expression of element i of node k in the memory of its input j.
  std::string same_element(std::size_t k, std::size_t j) const;
  /// The numbers of a convolution or pool, by their names in the texts.
  using Sizes = std::vector<std::pair<const char*, std::int64_t>>;
  Sizes conv_sizes(const graph::Conv2d& op, std::size_t k) const;
  Sizes dense_sizes(std::size_t k) const;
  Sizes pool_sizes(int kernel, int stride, std::size_t k) const;

  /// The function of layer k (c_source_text.h), and a call of it.
  void layer(std::string body, std::size_t k, const Sizes& sizes, const std::string& more_arguments = {});
  /// The same of a weight layer, whose array is w.
  struct Weights {
    std::string weight, factor, bias;  // types of a weight and of what it is multiplied with; the array, "" for none
    bool spikes = false;               // inputs are 0 and 1
  };
  void weights(std::string body, std::size_t k, const Sizes& sizes, const Weights& w);
  void pool(const std::string& join, const std::string& end, std::size_t k, const Sizes& sizes);

  /// [O, I / groups, KH, KW] to [I, KH, KW, O / groups].
  template <class T>
  std::vector<T> conv_weights(const graph::Conv2d& op, std::span<const T> w) const {
    const graph::Shape& shape = graph_.tensors.at(op.weight).shape;
    const auto O = static_cast<std::size_t>(shape[0]), in_each = static_cast<std::size_t>(shape[1]),
               area = static_cast<std::size_t>(shape[2] * shape[3]);
    const std::size_t each = O / static_cast<std::size_t>(op.groups), I = in_each * static_cast<std::size_t>(op.groups);
    std::vector<T> turned(w.size());
    for (std::size_t i = 0; i < I; ++i)
      for (std::size_t tap = 0; tap < area; ++tap)
        for (std::size_t o = 0; o < each; ++o)
          turned[(i * area + tap) * each + o] = w[((i / in_each * each + o) * in_each + i % in_each) * area + tap];
    return turned;
  }
  /// [O, I] to [I, O], inputs as they lie.
  template <class T>
  std::vector<T> dense_weights(std::size_t k, std::span<const T> w) const {
    const CItem &x = in(k), &y = items_[k];
    std::vector<T> rows(w.size());
    for (std::size_t i = 0; i < x.n; ++i)
      for (std::size_t o = 0; o < y.n; ++o) rows[i * y.n + o] = w[o * x.n + x.order.graph_index(i)];
    return rows;
  }
  /// One value an element of node k, from the graph's order to that of its memory.
  template <class T>
  std::vector<T> as_it_lies(std::size_t k, std::span<const T> v) const {
    std::vector<T> ordered(v.begin(), v.end());
    for (std::size_t i = 0; i < v.size(); ++i) ordered[i] = v[items_[k].order.graph_index(i)];
    return ordered;
  }

  const graph::Graph& graph_;
  std::string name_, upper_;
  std::vector<CItem> items_;
  std::string tables_, functions_, state_, reset_, step_;

 private:
  void lay_out();
  void place(std::size_t i);
  std::string text() const;

  std::unordered_map<std::string, std::size_t> index_;
  struct Memory {
    std::string type;
    std::size_t n = 0;
  };
  std::map<std::string, Memory> memory_;  // of outputs, by the field's name: one array a size of element
};

}  // namespace apical::exchange
