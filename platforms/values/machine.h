// SPDX-License-Identifier: Apache-2.0
// Carries out the operators of a trace on numbers, each as its core on the platform computes it.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/forward/forward.h"
#include "models/weights/weight_source.h"
#include "platforms/values/units.h"
#include "traces/trace.h"

namespace memwall::platforms {

struct value_settings {
  dtypes types;
  int threads = 1;
  double age = 0;          ///< seconds since the arrays were programmed
  std::uint64_t seed = 1;  ///< of all noise
  /// Layer that the platform computes, the others in single precision on the same integers; -1: the model's end; -2:
  /// all.
  std::int64_t only_layer = -2;
  bool once = false;         ///< one pass is all: what a product was computed with is not kept
  bool ranges_only = false;  ///< for largest_inputs() alone: without the product of the model's end
  bool measure = false;      ///< SNR of every product on a macro, against single precision
};

/// Where an operator's operands come from and go to: bytes by the position of a use in op::uses.
class operand_bytes {
 public:
  virtual ~operand_bytes() = default;
  /// What a use reads; nullptr: the weight that the machine holds itself.
  virtual const unsigned char* read(std::size_t use) = 0;
  virtual unsigned char* write(std::size_t use, std::int64_t bytes) = 0;
};

/// Which pass an operator belongs to, as far as values ask.
struct pass_facts {
  std::int64_t past = 0;                 ///< positions in the cache before it
  const std::int32_t* tokens = nullptr;  ///< of the pass, one a row
  std::int64_t rows = 1;                 ///< positions of the pass
  bool all_logits = false;               ///< the model's end for every position, not for the last alone
};

/// Experts by position and layer, in the order of their shares.
using expert_routes = std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int64_t>>;

class machine {
 public:
  /// `platform` nullptr: the reference, everything in single precision. `ranges`: largest inputs of each weight's
  /// product, found on some text; for cores that fix them beforehand. Throws input_error for what it cannot compute.
  machine(const model& m, const numerics& n, const weight_source& source, const platform_description* platform,
          const value_settings& settings, std::map<std::string, float> ranges = {});
  ~machine();

  void execute(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);

  /// Bytes of rows [first, first + count) of a weight as memories hold them.
  void encode(const std::string& name, std::int64_t first, std::int64_t count, unsigned char* out);
  const weight& weight_named(const std::string& name) const;
  std::int64_t row_bytes(const std::string& name);
  /// The largest input of each product so far.
  const std::map<std::string, float>& largest_inputs() const { return m_largest; }
  /// Mean SNR of each product on a macro, in the order of the first use.
  struct layer_quality {
    std::string name;
    double signal = 0, error = 0;
    double snr_db() const;
  };
  const std::vector<layer_quality>& quality() const { return m_quality; }
  /// Of each position that was computed first: later passes over other texts do not count.
  const expert_routes& routes() const { return m_routes; }
  const value_core* core_for(const trace::op& op) const;
  const codec& activations() const { return m_activation; }

 private:
  struct state;
  const held_matrix& matrix(const std::string& name);
  const product_unit& unit(const std::string& name, const trace::op& op);
  const product_unit& expert_unit(const std::string& name, const trace::op& op, std::int64_t expert);
  held_matrix part_of_expert(const std::string& name, std::int64_t expert);
  std::vector<float> expert_bias(const trace::op& op, const trace::header& header, const std::string& name,
                                 operand_bytes& bytes);
  std::unique_ptr<product_unit> new_unit(const std::string& name, const trace::op& op, const held_matrix& w,
                                         std::uint64_t part = 0, bool ranged = true);
  std::vector<float> vector_of(const std::string& name, const unsigned char* bytes);
  void multiply(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  /// y = x W^T of a weight and its rows of inputs, with the matrix that came over the wires where one did.
  std::vector<float> product_of(const trace::op& op, const std::string& name, const std::vector<float>& x,
                                std::int64_t rows, std::int64_t first, const unsigned char* given);
  void expand(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  void absorb(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  held_matrix part_of_head(const std::string& name, std::int64_t head, bool keys, const unsigned char* given);
  void attend_latent(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  void rotate_latent(const trace::op& op, const pass_facts& pass, operand_bytes& bytes);
  void attend(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  void embed(const trace::op& op, const pass_facts& pass, operand_bytes& bytes);
  void normalise(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  void rotate(const trace::op& op, const pass_facts& pass, operand_bytes& bytes);
  void route(const trace::op& op, const pass_facts& pass, const std::vector<float>& logits,
             const std::vector<float>& correction);
  void run_experts(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes);
  void combine(const trace::op& op, const pass_facts& pass, operand_bytes& bytes);
  void measure(const std::string& name, const float* x, std::int64_t rows, const float* y);
  std::vector<float> values(const unsigned char* bytes, std::int64_t count) const;
  void store(operand_bytes& bytes, std::size_t use, const std::vector<float>& v) const;

  model m_model;
  numerics m_numerics;
  const weight_source& m_source;
  const platform_description* m_platform;
  value_settings m_settings;
  std::map<std::string, float> m_ranges, m_largest;
  std::map<std::string, weight> m_weights;
  std::map<std::string, std::unique_ptr<value_core>> m_cores;
  std::map<std::string, held_matrix> m_matrices;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<product_unit>> m_units;  // by weight and core
  std::vector<layer_quality> m_quality;
  std::map<std::string, std::size_t> m_quality_index;
  codec m_activation, m_cache;
  rotations m_rotations, m_local_rotations;
  std::vector<float> m_slopes;           // of ALiBi, by head
  std::vector<expert_choice> m_routing;  // of the layer at work, by row
  expert_routes m_routes;
  std::vector<float> m_key_turns;  // rotated parts of the keys of the layer at work (latent attention, prompts)
};

}  // namespace memwall::platforms
