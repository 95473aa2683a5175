#pragma once
// Your own data: a folder of pictures or recordings by class, a pair of IDX files, an NPZ.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apical/data/dataset.h"
#include "apical/data/image_fit.h"

namespace apical::data {

struct FolderOptions {
  std::optional<FitOptions> fit;      ///< how pictures become samples; absent: all must have the size of the first
  std::vector<std::string> classes;   ///< expected class names (of a model); empty: the folder's, sorted (numbers by value)
};

/// What lies at `path` as a set:
/// | path                                      | kind           | classes                          |
/// |-------------------------------------------|----------------|----------------------------------|
/// | DIR/<class>/*.png                          | image          | folder names                     |
/// | DIR/<class>/*.{bin,aedat,aedat3,aedat4,dat,es,raw,hdf5,h5} | events | folder names                     |
/// | DIR/<class>/*.{wav,flac}                   | audio          | folder names                     |
/// | DIR/{train,test}/<class>/...               | as above       | `split` chooses the part         |
/// | DIR/*.png (or events, sound)               | unlabelled     | labels are -1                    |
/// | DIR with *images*idx* and *labels*idx*     | image          | the numbers                      |
/// | X-images-idx3-ubyte[.gz]                   | image          | labels beside it if there, else -1 |
/// | FILE.npz (x, y; or x_train, y_train, ...)  | image          | the numbers; x is [N, H, W] or [N, C, H, W], u8, or float in 0..1 |
/// | one picture, recording or clip             | one sample     | label -1                         |
///
/// `split` is "train" or "test". When the data have no such parts (see has_test), both mean everything. Data error naming the file for anything that cannot be read or does not fit.
Set load_path(const std::filesystem::path& path, const std::string& split, const FolderOptions& options = {});
/// Whether the data at `path` bring a test part of their own (DIR/test, t10k-*, x_test).
bool has_test(const std::filesystem::path& path);

/// Renumbers the labels so that they are indices into `classes` (-1 stays); data error for a class that is not among them.
void map_classes(Set& set, const std::vector<std::string>& classes);

}  // namespace apical::data
