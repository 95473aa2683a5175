#pragma once
// What the two halves of the program scan_cuda_check share. Not for other rooms.
#include <cuda_runtime.h>

#include <cstddef>
#include <string>
#include <vector>

#include "apical/base/error.h"

namespace apical::kernels::cuda {

inline void succeed(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw internal_error(std::string("CUDA: ") + cudaGetErrorString(status), what);
}

/// Device memory.
template <class T>
class Device {
 public:
  explicit Device(std::size_t count) { succeed(cudaMalloc(&data_, count * sizeof(T)), "cudaMalloc"); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { cudaFree(data_); }

  T* data() const { return data_; }
  /// Every byte of the first `count` 0xff: NaN as a float, all spikes as bits. What a kernel must write shows when it does not.
  void poison(std::size_t count) { succeed(cudaMemset(data_, 0xff, count * sizeof(T)), "cudaMemset"); }
  void set(const std::vector<T>& from) { copy(data_, from.data(), from.size(), cudaMemcpyHostToDevice); }
  std::vector<T> get(std::size_t count) const {
    std::vector<T> to(count);
    copy(to.data(), data_, count, cudaMemcpyDeviceToHost);
    return to;
  }
  static void copy(T* to, const T* from, std::size_t count, cudaMemcpyKind kind = cudaMemcpyDeviceToDevice) {
    if (count) succeed(cudaMemcpy(to, from, count * sizeof(T), kind), "cudaMemcpy");
  }

 private:
  T* data_ = nullptr;
};

/// Times forward, backward and both beside a copy, prints a table and returns it as a JSON array. noise: [noise_count] in device memory.
std::string time_scans(const float* noise, std::size_t noise_count);

}  // namespace apical::kernels::cuda
