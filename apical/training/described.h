#pragma once
// Trains a network described in a TOML file on any labelled data: what `apical train` runs. As a recipe has it: checkpoints,
// resume, export, comparison with the torch-free runtime, operations, energy, report.
//
//   name = "my network"          # optional
//   [data]                       # optional: how pictures become samples, and what is held out
//   height = 28                  # with width and channels: pictures are fitted to this size; without: all must have one size
//   width = 28
//   channels = 1
//   fit = "stretch"              # stretch | keep | digit
//   held_out = 0.2               # share tested on when the data bring no test part
//   [encoder]                    # apical/data/encoders.h; default: direct for images, event_frames for events
//   kind = "rate"
//   gain = 0.8                   # parameters of the kind, as real numbers
//   [preprocess]                 # (x / 255 - mean) / std per channel; default: none
//   mean = [0.5]
//   std = [0.25]
//   [net]                        # apical/nn/network.h
//   [train]                      # apical/training/trainer.h
#include "apical/recipe/recipe.h"

namespace apical::training {

/// Usage error naming file and key for what cannot be, before any data are read.
void check_description(const Config& description);

/// The text of a recipe made from the description at `path`; its name is the file's stem.
recipe::RecipeInfo describe(const std::filesystem::path& path);

/// Runs it on context.source.data: a known set's name, a folder, IDX or NPZ.
void train_described(recipe::RunContext& context);

}  // namespace apical::training
