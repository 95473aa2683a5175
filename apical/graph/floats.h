#pragma once
// The numbers of a tensor: owned, or read where they lie in a mapped model file.
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace apical::graph {

/// Floats that behave like a std::vector<float> with one difference: they may stand in memory that `keeper` keeps alive, shared by
/// all copies and never written; who asks for them to change them gets a copy of his own first.
class Floats {
 public:
  Floats() = default;
  Floats(std::vector<float> own) : own_(std::move(own)) {}
  Floats(std::initializer_list<float> own) : own_(own) {}
  /// In place. `keeper` must not be null.
  Floats(std::span<const float> there, std::shared_ptr<const void> keeper) : there_(there), keeper_(std::move(keeper)) {}

  bool in_place() const noexcept { return keeper_ != nullptr; }
  std::size_t size() const noexcept { return keeper_ ? there_.size() : own_.size(); }
  bool empty() const noexcept { return size() == 0; }
  const float* data() const noexcept { return keeper_ ? there_.data() : own_.data(); }
  const float* begin() const noexcept { return data(); }
  const float* end() const noexcept { return data() + size(); }
  const float& operator[](std::size_t i) const noexcept { return data()[i]; }
  bool operator==(const Floats& o) const noexcept { return std::equal(begin(), end(), o.begin(), o.end()); }

  /// The numbers to be changed.
  std::vector<float>& own() {
    if (keeper_) own_.assign(there_.begin(), there_.end()), keeper_ = nullptr, there_ = {};
    return own_;
  }
  float* begin() { return own().data(); }
  float* end() { return own().data() + own().size(); }
  float& operator[](std::size_t i) { return own()[i]; }

 private:
  std::vector<float> own_;
  std::span<const float> there_;
  std::shared_ptr<const void> keeper_;
};

}  // namespace apical::graph
