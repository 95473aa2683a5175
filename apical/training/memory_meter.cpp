#include "apical/training/memory_meter.h"

#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <memory>

namespace apical::training {
namespace {

std::atomic<std::int64_t> live{0}, peak{0};

// The block of the wrapped allocator and its size.
struct Block {
  c10::DataPtr data;
  std::int64_t size;
};

void release(void* context) {
  auto* block = static_cast<Block*>(context);
  live -= block->size;
  delete block;
}

class CountingAllocator final : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}
  c10::DataPtr allocate(std::size_t n) const override {
    auto* block = new Block{inner_->allocate(n), static_cast<std::int64_t>(n)};
    const std::int64_t now = live += block->size;
    for (std::int64_t seen = peak.load(); now > seen && !peak.compare_exchange_weak(seen, now);) {}
    return {block->data.get(), block, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }  // memory must be freed through its context

 private:
  c10::Allocator* inner_;
};

}  // namespace

void MemoryMeter::install() {
  static CountingAllocator* const instance = [] {
    auto* a = new CountingAllocator(c10::GetCPUAllocator());
    c10::SetCPUAllocator(a, /*priority=*/100);
    return a;
  }();
  (void)instance;
}
std::int64_t MemoryMeter::live_bytes() noexcept { return live; }
std::int64_t MemoryMeter::peak_bytes() noexcept { return peak; }
void MemoryMeter::reset_peak() noexcept { peak = live.load(); }

}  // namespace apical::training
