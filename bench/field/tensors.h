#pragma once
// Matrices of float32 as files, for the workloads with torch.
#include <torch/torch.h>

#include <string>

#include "apical/formats/npy.h"

namespace apical::bench {

inline torch::Tensor read(const std::string& path) {
  const auto a = formats::read_npy(path);
  return torch::from_blob(const_cast<float*>(a.as<float>(path).data()), {static_cast<std::int64_t>(a.shape.at(0)), static_cast<std::int64_t>(a.shape.at(1))}).clone();
}
inline void write(const std::string& path, const torch::Tensor& t) {
  formats::write_npy(path, formats::Array::of<float>({static_cast<std::uint64_t>(t.size(0)), static_cast<std::uint64_t>(t.size(1))},
                                                     {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())}));
}

}  // namespace apical::bench
