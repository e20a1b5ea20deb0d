// SPDX-License-Identifier: Apache-2.0
// Weights in .safetensors files: one file, or shards under an index.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace memwall {

/// How numbers are stored: F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I8, U8. Other types may stand in a file, but are not
/// read.
enum class stored_type : std::uint8_t { f64, f32, f16, bf16, f8_e4m3, f8_e5m2, i8, u8, other };

class mapped_file;

/// A tensor as it lies in a file, in C order.
struct stored_tensor {
  std::string file, name, type_name;
  stored_type type = stored_type::other;
  std::vector<std::int64_t> shape;
  std::int64_t count = 0;               ///< elements
  const unsigned char* data = nullptr;  ///< in the mapped file
  std::uint64_t bytes = 0;
  /// Elements [first, first + n) as single precision.
  void read(std::int64_t first, std::int64_t n, float* out) const;
  std::string shape_text() const;
  /// Its pages leave memory until they are read again.
  void rest() const;
};

/// Every tensor of a model's folder: model.safetensors, or the shards that model.safetensors.index.json names, or the
/// one .safetensors file there is. The files are mapped: nothing is read before it is used.
class tensor_files {
 public:
  /// `path`: a folder or a .safetensors file. Throws input_error with the file and the tensor.
  explicit tensor_files(const std::string& path);
  ~tensor_files();
  tensor_files(tensor_files&&) noexcept;

  const stored_tensor* find(const std::string& name) const;
  const std::map<std::string, stored_tensor>& all() const { return m_tensors; }
  const std::string& path() const { return m_path; }

 private:
  void add_file(const std::string& file, std::vector<std::string>* names);
  void add_shards(const std::string& index);
  std::string m_path;
  std::vector<std::unique_ptr<mapped_file>> m_files;
  std::map<std::string, stored_tensor> m_tensors;
};

/// IEEE half precision, bfloat16 and the two 8-bit types (OFP8) as single precision, and back to the nearest, ties to
/// even.
float from_half(std::uint16_t bits);
float from_bfloat(std::uint16_t bits);
float from_e4m3(std::uint8_t bits);
float from_e5m2(std::uint8_t bits);
std::uint16_t to_half(float v);
std::uint16_t to_bfloat(float v);

}  // namespace memwall
