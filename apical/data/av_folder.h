#pragma once
// Audio-visual speech of one's own, such as GRID with CHiME noise: sounds beside pictures of the lips.
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "apical/data/audio_features.h"
#include "apical/data/dataset.h"
#include "apical/formats/png.h"

namespace apical::data {

struct AvFolderSettings {
  LogMelSettings features;
  double video_rate = 25;  ///< pictures a second
  int coefficients = 50;   ///< of a picture
  bool resample = false;   ///< convert sounds of another rate or of several channels, instead of refusing them
};

/// One utterance.
struct AvClip {
  std::string talker, name;
  std::vector<float> sound;  ///< mono, at features.sample_rate
  std::vector<float> lips;   ///< [K, coefficients], one row a frame of LogMel (K = frame_count of the sound)
};

/// The utterances of DIR/<split>, ordered by talker and name:
///     DIR/<split>/<talker>/<name>.wav (or .flac)     the sound
///     DIR/<split>/<talker>/<name>/*.png              its pictures in order of their names, all of one size, cropped to the lips
///     DIR/noise/*.wav (or .flac)                     recorded noise: see read_noise()
/// `ffmpeg -i NAME.mpg NAME.wav` and `ffmpeg -i NAME.mpg -vf crop=W:H:X:Y NAME/%04d.png` make both from a video. Data error naming what is
/// missing or does not fit: also pictures without a sound.
std::vector<AvClip> read_av_folder(const std::filesystem::path& dir, const std::string& split, const AvFolderSettings& settings = {});

/// The same as a labelled set of sounds with lips; ids are <split>/<talker>/<name>. The class of an utterance is character `letter` (from 1)
/// of its name: those of GRID are command, colour, preposition, letter, digit and adverb ("bbaf2n": bin blue at f 2 now); 0: its talker.
/// `classes`: those of the training split, in their order; empty: those found, sorted. The hash is over sounds and lips as they are used.
/// Data errors: those of read_av_folder, a name that is too short, a class that is not among `classes`.
Set av_set(const std::filesystem::path& dir, const std::string& split, const AvFolderSettings& settings, int letter,
           std::vector<std::string> classes = {});

/// The first `count` coefficients, in zig-zag order, of the orthonormal two-dimensional DCT-II of a picture (0..1, grey):
/// F(u, v) = a_u b_v sum_yx p(y, x) cos(pi u (2y + 1) / 2H) cos(pi v (2x + 1) / 2W). The order is that of JPEG (ITU-T T.81, figure A.6):
/// (u, v) = (0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), ... Usage error for more coefficients than the picture has.
std::vector<float> lip_features(const formats::Image& picture, int count);

}  // namespace apical::data
