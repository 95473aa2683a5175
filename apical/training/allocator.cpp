#include "apical/training/allocator.h"

#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "apical/base/huge_array.h"

namespace apical::training {
namespace {

constexpr std::size_t reuse_from = std::size_t{1} << 18, keep_at_most = std::size_t{1} << 31;

std::atomic<std::int64_t> live{0}, peak{0};
bool reuse_blocks = false;
c10::Allocator* inner = nullptr;

// Stands in front of the bytes handed out, so that a block is known by its data pointer alone (some of torch's calls free by it).
struct alignas(64) Block {
  c10::DataPtr memory;  // of this header and the bytes after it
  std::size_t size = 0;

  static Block* of(void* data) { return static_cast<Block*>(data) - 1; }
  void* data() { return this + 1; }
};
static_assert(sizeof(Block) == 64, "torch expects data on multiples of 64 bytes");

Block* new_block(std::size_t size) {
  auto memory = inner->allocate(sizeof(Block) + size);
  if (reuse_blocks && size >= 2 * large_page_bytes) ask_for_large_pages(memory.get(), sizeof(Block) + size);
  auto* block = new (memory.get()) Block;
  block->memory = std::move(memory);
  block->size = size;
  return block;
}
void delete_block(Block* block) {
  const auto memory = std::move(block->memory);
  block->~Block();
}

// Freed large blocks by size. Never destroyed: tensors may outlive static objects.
struct Cache {
  std::mutex mutex;
  std::unordered_map<std::size_t, std::vector<Block*>> blocks;
  std::size_t kept = 0;

  Block* take(std::size_t size) {
    std::lock_guard lock(mutex);
    const auto it = blocks.find(size);
    if (it == blocks.end() || it->second.empty()) return nullptr;
    Block* block = it->second.back();
    it->second.pop_back();
    kept -= size;
    return block;
  }
  bool keep(Block* block) {
    std::lock_guard lock(mutex);
    if (kept + block->size > keep_at_most) return false;
    blocks[block->size].push_back(block);
    kept += block->size;
    return true;
  }
};
Cache& cache() {
  static auto* const c = new Cache;
  return *c;
}

void release(void* data) {
  if (!data) return;  // free(nullptr) is allowed, and oneDNN does it
  Block* block = Block::of(data);
  live -= static_cast<std::int64_t>(block->size);
  if (reuse_blocks && block->size >= reuse_from && cache().keep(block)) return;
  delete_block(block);
}

class MeteredAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t n) const override {
    if (n == 0) return {nullptr, nullptr, &c10::detail::deleteNothing, c10::Device(c10::DeviceType::CPU)};
    Block* block = reuse_blocks && n >= reuse_from ? cache().take(n) : nullptr;
    if (!block) block = new_block(n);
    const std::int64_t now = live += static_cast<std::int64_t>(n);
    for (std::int64_t seen = peak.load(); now > seen && !peak.compare_exchange_weak(seen, now);) {
    }
    return {block->data(), block->data(), &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
};

}  // namespace

void MemoryMeter::install(bool reuse) {
  reuse_blocks = reuse;
  static const bool once = [] {
    inner = c10::GetCPUAllocator();
    c10::SetCPUAllocator(new MeteredAllocator, /*priority=*/100);
    return true;
  }();
  (void)once;
}
std::int64_t MemoryMeter::live_bytes() noexcept { return live; }
std::int64_t MemoryMeter::peak_bytes() noexcept { return peak; }
void MemoryMeter::reset_peak() noexcept { peak = live.load(); }

}  // namespace apical::training
