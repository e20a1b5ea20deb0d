// SPDX-License-Identifier: Apache-2.0
// What modules report after a run, a struct a section of the result, and the table that names its figures.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "hw/bus/bus_report.h"
#include "hw/common/figures.h"
#include "hw/paging/pager.h"
#include "platforms/build/result_section.h"

namespace memwall::platforms {

/// Every section's figures, with paths from the top of the result.
std::vector<figure_info> section_figures();

/// A DRAM module, or an on-chip memory.
struct memory_figures {
  using json = nlohmann::ordered_json;
  std::string name, standard;
  bool on_chip = false;  ///< SRAM: its bytes are no DRAM bytes
  int channels = 1;
  std::optional<double> devices;
  std::int64_t capacity_bytes = 0;
  double peak_bytes_per_s = 0;
  std::int64_t read_bytes = 0, write_bytes = 0;
  std::optional<std::int64_t> asked_read_bytes, asked_write_bytes;
  double bandwidth_bytes_per_s = 0, utilization = 0;
  std::optional<double> busy_ns;
  std::optional<json> banks;
  json latency_ns;
  std::optional<json> row, commands;
  json energy_pj;
  std::optional<std::string> energy_confidence;
  std::optional<json> time_by_cause_ns;
  std::optional<std::string> bottleneck;
};
const figure_table<memory_figures>& memory_table();

/// A core of any kind.
struct executor_figures {
  using json = nlohmann::ordered_json;
  std::string name, kind;
  std::uint64_t operations = 0;
  double busy_ns = 0, utilization = 0, flops = 0;
  std::uint64_t transfers = 0;
  json read_bytes, write_bytes;
  double energy_pj = 0;
  json latency_ns;
  std::optional<json> stall_stack_ns, figures;
};
const figure_table<executor_figures>& executor_table();

/// An initiator that only makes load.
struct generator_figures {
  using json = nlohmann::ordered_json;
  std::string name;
  std::uint64_t transfers = 0;
  std::int64_t read_bytes = 0, write_bytes = 0;
  json latency_ns;
  std::optional<json> latency_by_cause_ns;
};
const figure_table<generator_figures>& generator_table();

/// A bus or a link: what it measured.
struct fabric_figures {
  std::string name;
  bus_report found;
};
const figure_table<fabric_figures>& bus_table();
const figure_table<fabric_figures>& link_table();

/// A pager of unified memory.
struct pager_figures {
  std::string name;
  pager_report found;
  ps_t elapsed = 0;
};
const figure_table<pager_figures>& pager_table();

// Figures of a distribution of times, of bytes by class, of times by cause: parts of others.
std::vector<figure_info> latency_figures(bool histogram = true);
std::vector<figure_info> byte_figures();
std::vector<figure_info> cause_figures();

}  // namespace memwall::platforms
