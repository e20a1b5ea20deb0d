// SPDX-License-Identifier: Apache-2.0
// What the cores of a platform compute when they multiply a matrix by vectors.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hw/cim/mapping.h"
#include "models/weights/weight_source.h"
#include "platforms/describe/description.h"
#include "platforms/values/codec.h"

namespace memwall::platforms {

/// A weight matrix as it is held: rows (outputs) x columns (inputs) in a type, with the scales of plain integers.
struct held_matrix {
  std::int64_t rows = 0, columns = 0;
  codec type;
  std::vector<float> scales;  ///< one, or one a row; empty where the type has none
  /// Row-major bytes of rows [first, first + count).
  std::function<void(std::int64_t first, std::int64_t count, unsigned char* out)> read;
  /// Where the numbers come from, before they take their type; nullptr where bytes came over the wires.
  const weight_source* source = nullptr;
  const weight* origin = nullptr;
  std::int64_t first_row = 0;  ///< of the weight: an expert's part of a stack

  float scale_of(std::int64_t row) const {
    return scales.empty() ? 1.0F : scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(row)];
  }
  /// Numbers of rows [first, first + count), as the type holds them.
  void reals(std::int64_t first, std::int64_t count, float* out) const;
  /// Plain integers of columns [column, column + width) of those rows.
  void integers(std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t width,
                std::int32_t* out) const;
};

/// A core as far as values go, read from its description.
class value_core {
 public:
  explicit value_core(const module_description& d);
  const std::string& name() const { return m_name; }
  /// Its macros compute on integers (digital and analog arrays).
  bool on_integers() const { return m_macro != nullptr && !m_macro->is_floating(); }
  /// Its units compute on floating-point numbers beside DRAM banks.
  bool in_banks() const { return m_macro != nullptr && m_macro->is_floating(); }
  bool attends_in_banks() const { return in_banks() && m_attention != "vector"; }
  const cim::macro* macro() const { return m_macro.get(); }
  int in_bits() const { return m_in_bits; }
  std::int64_t macros() const { return m_macros; }
  /// Input ranges are taken from each vector; else they were fixed beforehand.
  bool ranges_by_vector() const { return m_input_range == "vector"; }
  bool scales_by_column() const { return m_weight_scale == "column"; }

 private:
  std::string m_name;
  std::shared_ptr<const cim::macro> m_macro;
  int m_in_bits = 8;
  std::int64_t m_macros = 1;
  std::string m_attention, m_input_range, m_weight_scale;
};

/// A matrix ready to be multiplied.
class product_unit {
 public:
  virtual ~product_unit() = default;
  /// y[m, rows] = x[m, columns] W^T. `first`: position of the first vector, which numbers the reads of analog arrays.
  virtual void run(const float* x, std::int64_t m, std::int64_t first, float* y) const = 0;
};

struct unit_options {
  int threads = 1;
  double age = 0;                   ///< seconds since programming
  std::uint64_t seed = 1;           ///< of this matrix's arrays
  std::string arithmetic = "fp32";  ///< of cores without macros: fp32, fp16, bf16 (operands; sums are in fp32)
  std::optional<float> range;       ///< largest input, fixed beforehand; unset: that of each vector
};

/// The unit of `core` for a matrix. Throws input_error where its macros cannot hold the matrix's type.
std::unique_ptr<product_unit> make_unit(const value_core& core, const held_matrix& matrix, const unit_options& options);

}  // namespace memwall::platforms
