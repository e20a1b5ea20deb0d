// SPDX-License-Identifier: Apache-2.0
// Puts every tensor of a trace into a memory of the platform, by the mapping rules, and refuses what does not fit.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "platforms/describe/run_options.h"
#include "platforms/place/portion.h"
#include "traces/trace.h"

namespace memwall::platforms {

/// Opens the trace from its start; a run reads it twice (placement, then execution).

/// A memory that tensors can be placed in: a DRAM, an SRAM, or the arrays of a compute-in-memory core.
struct memory_slot {
  std::string name;
  std::uint64_t base = 0;         ///< platform-global address of its first byte
  std::int64_t capacity = 0;      ///< bytes
  std::int64_t alignment = 4096;  ///< bytes; a stripe over all channels, so that equal tensors load channels equally
  bool in_core = false;           ///< weights live in compute-in-memory arrays: no transfers to read them
  std::vector<std::string>
      computed_by;  ///< cores whose units sit beside this memory's banks: they read it without transfers
  /// in_core: takes room for inputs x outputs weights of some bits, or says why it cannot (folding wastes what bytes do
  /// not show).
  std::function<std::string(std::int64_t rows, std::int64_t columns, double bits)> reserve;
  /// in_core: share of the cells that is taken, 0 to 1.
  std::function<double()> cells_used;
  /// computed_by: bits that the units' arithmetic makes of a value's (4-bit weights beside FP16 units are held as
  /// FP16).
  std::function<double(double bits)> held_bits;
  std::int64_t used = 0;
  std::array<std::int64_t, trace::tensor_classes> by_class{};
};

/// Where (a device's part of) a tensor lies.
struct home {
  int memory = -1;  ///< index into slots
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
  bool split = false;  ///< a device's part of the tensor (tensor parallel)
  double scale = 1;    ///< bytes held for each byte of the trace: more than 1 beside units that compute on a wider type
};

/// How the operators that a rule matches run.
struct executor_group {
  std::vector<std::string> cores;  ///< in parallel (tensor) or by ranges of layers (pipeline)
  bool pipeline = false;
};

class placement {
 public:
  /// Throws capacity_error with the arithmetic (needed, available, missing, and with `advise` what would fit),
  /// input_error when an operator matches no rule.
  placement(const platform_description& platform, std::vector<memory_slot> slots, const trace_source& source,
            bool advise = true);

  const std::vector<memory_slot>& slots() const { return m_slots; }
  /// The rule for an operator.
  const mapping_rule& rule(const trace::op& op) const;
  const executor_group& executors(const mapping_rule& r) const;
  const std::vector<executor_group>& groups() const { return m_groups; }  ///< by rule
  /// Device (position in the group's cores) that runs an operator under pipeline parallelism: layers in equal ranges,
  /// what comes before them on the first device, what follows on the last.
  std::size_t pipeline_stage(const trace::op& op, std::size_t devices) const;
  /// Home of a tensor for one device of the group that uses it. Tensors not met while placing (activations) are in the
  /// activation memory of the operator's rule.
  const home& of(std::uint32_t tensor, std::size_t device) const;
  /// Where rows of a tensor are read from: a table that is also a weight of a product in arrays has a copy in a memory.
  const home& rows_of(std::uint32_t tensor, std::size_t device) const;

  /// Throws input_error where a core has no way to a memory that holds something it uses. `reaches(core, address)`.
  void refuse_unreachable(const std::function<bool(const std::string&, std::uint64_t)>& reaches) const;

  nlohmann::ordered_json report() const;
  /// Weights that live in compute-in-memory arrays: calls f(core, tensor, inputs, outputs, bits) for each.
  void for_each_resident(
      const std::function<void(const std::string&, std::uint32_t, std::int64_t, std::int64_t, double)>& f) const;

 private:
  struct first_use {
    bool seen = false;
    std::size_t rule = 0;
    std::optional<std::size_t> gathered_by = std::nullopt;  // rule of the operator that reads rows of it
    portion part = {};                                      // that one device holds
  };
  std::size_t stage_of_layer(std::int64_t layer, std::size_t devices) const;
  /// Whether a device of a pipeline uses a tensor.
  bool in_stage(std::uint32_t tensor, std::size_t device, std::size_t devices) const;
  void note_ends(const trace::op& op);
  std::size_t rule_index(const trace::op& op) const;
  int slot_index(const std::string& name) const;
  bool in_arrays(const std::string& memory) const;
  /// Inputs, outputs and bits of a weight tensor (or a device's part of it) as arrays hold it.
  struct matrix {
    std::int64_t inputs, outputs;
    double bits;
  };
  matrix matrix_of(std::uint32_t tensor, std::int64_t part_bytes) const;
  void scan(const trace_source& source);
  void place_all();
  /// One device's part of a tensor, in the rule's memory or where that overflows.
  void place_part(std::uint32_t tensor, std::size_t device, std::int64_t bytes, bool split);
  /// A table whose rows are gathered, beside the copy that arrays multiply.
  void copy_rows(std::uint32_t tensor, std::size_t device);
  /// The memory that holds a device's part of tensors of a class.
  int slot_for(const mapping_rule& r, trace::tensor_class cls, std::size_t device) const;
  int slot_of_group(const std::string& name, std::size_t device) const;
  /// Empty when the tensor was put into the slot, else why it does not fit.
  std::string put(std::uint32_t tensor, std::size_t device, int slot, std::int64_t bytes, bool split);
  void refuse_rules_without_sense() const;
  [[noreturn]] void refuse(const trace_source& source, bool advise) const;

  const platform_description& m_platform;
  std::vector<memory_slot> m_slots;
  trace::header m_header;
  std::int64_t m_layers = 0;
  std::vector<executor_group> m_groups;  // by rule
  std::vector<first_use> m_first;        // by tensor
  /// Of no layer: names of operators that follow the layers of their pass, and by tensor who uses it.
  std::set<std::string> m_behind;
  struct ends {
    bool before = false, behind = false;
  };
  std::vector<ends> m_ends;
  std::optional<std::pair<trace::phase, std::int64_t>> m_in_layers;  // the pass that scan() is in, once it met a layer
  std::vector<std::vector<std::size_t>> m_users;                     // by tensor: rules of the operators that use it
  std::vector<std::vector<home>> m_homes;                            // by tensor, by device
  struct shortage {
    int slot;
    std::int64_t bytes;
    trace::tensor_class cls;
    std::string why;
  };
  std::vector<shortage> m_short;
  std::vector<std::int64_t> m_wanted;      // by slot: bytes with all that was to go there, what did not fit included
  std::map<std::uint32_t, home> m_copies;  // of tables, see rows_of()
  std::vector<std::string> m_notes;
  /// Why tensors of a class and rule went where they are: the first choice, or what kept them out of it.
  std::map<std::tuple<trace::tensor_class, std::size_t, int>, std::string> m_reasons;
};

}  // namespace memwall::platforms
