// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace memwall::sweep {

/// SHA-256 (FIPS 180-4), fed piece by piece.
class sha256 {
 public:
  sha256();
  sha256& add(std::string_view bytes);
  /// Adds the length before the bytes, so that ("ab", "c") and ("a", "bc") differ.
  sha256& field(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Ends the use of this object.
  std::string hex();

 private:
  void block(const unsigned char* p);
  std::array<std::uint32_t, 8> m_state;
  std::array<unsigned char, 64> m_buffer{};
  std::uint64_t m_length = 0;
};

std::string sha256_hex(std::string_view bytes);

/// Digest of a file's contents. Throws input_error when it cannot be read.
std::string file_digest(const std::string& path);

/// A well-mixed 64-bit value of (seed, a, b): the only source of randomness in sweeps, so that every draw can
/// be computed on its own, in any order, on any machine (splitmix64 finaliser: Steele, Lea, Flood, OOPSLA
/// 2014).
std::uint64_t mix(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0);
/// The same as a number in [0, 1).
double mix_uniform(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0);

}  // namespace memwall::sweep
