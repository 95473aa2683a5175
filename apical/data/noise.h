#pragma once
// Noise for sound and pictures, and mixtures at a given signal-to-noise ratio. Everything is a pure function of its arguments.
#include <filesystem>
#include <span>
#include <vector>

#include "apical/base/philox.h"

namespace apical::data {

/// Mean of x^2, summed in float64; 0 for no samples.
double mean_power(std::span<const float> x) noexcept;

/// Independent standard normal values (Box-Muller, two from two words), from the next whole block of `random` on.
void gaussian_noise(Random random, std::span<float> out) noexcept;

/// Pink noise of mean power 1: -3 dB an octave from 1/5000 of the sample rate to half of it, within 0.1 dB. White noise through seven
/// first-order filters, after 4096 samples that are thrown away (the slowest filter forgets e-fold in 876).
/// Source: P. Kellet, "Pink noise generation" (refined method), music-dsp list 1999, musicdsp.org archive 76.
void pink_noise(Random random, std::span<float> out) noexcept;

/// Recorded noise: every WAV and FLAC file of a folder, by name, as one channel resampled to `sample_rate`. Data error when there is none.
std::vector<std::vector<float>> read_noise(const std::filesystem::path& folder, int sample_rate);

/// Adds `clip`, scaled to mean power 1, to `out`; repeated from its sample `start` on until `out` is full. A silent clip adds nothing.
void add_repeated(std::span<const float> clip, std::size_t start, std::span<float> out);

/// out = signal + g noise with g such that the mean powers over the clip have the ratio snr_db = 10 log10(P_signal / P_noise). Returns g.
/// Where the signal or the noise is silent no ratio can be had: g = 0 and out = signal. Samples may leave -1..1.
/// Usage error for a ratio outside -40..40 dB and for lengths that differ.
float mix_at_snr(std::span<const float> signal, std::span<const float> noise, double snr_db, std::span<float> out);
/// Usage error when the ratio is outside -40..40 dB.
void check_snr(double snr_db, const char* where);

}  // namespace apical::data
