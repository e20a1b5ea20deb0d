// SPDX-License-Identifier: Apache-2.0
// A platform as its YAML file describes it, before any hardware exists.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/error.h"

namespace memwall::platforms {

/// One instance of hardware. `count: N` in the file gives N modules name0 ... name(N-1).
struct module_description {
  std::string name;
  std::string type;   ///< dram, sram, bus, link, traffic_generator, or a core kind (gpu, cpu, cim, ...)
  config::node tree;  ///< its parameters
  std::string group;  ///< the name in the file
  int index = 0;      ///< 0 ... count-1
};

/// `[a, b]` under `connect`: a sends requests to b.
struct connection {
  std::string from, to;
  std::string where;
};

/// Where operators run and where their tensors live. The first rule that matches an operator (tensor) decides.
struct mapping_rule {
  std::vector<std::string> kinds;  ///< operator kinds; empty: all
  std::string name_pattern;        ///< glob over operator names; empty: all
  std::int64_t first_layer = INT64_MIN, last_layer = INT64_MAX;
  std::string phase;                           ///< prefill, decode or empty
  std::string executor;                        ///< a module or a group (`count`): then in parallel
  std::string weights, kv_cache, activations;  ///< memories (modules or groups of the executor's count)
  std::string overflow;  ///< when `weights` is full: "" refuse, else the memory the rest is streamed from
  std::string where;

  bool matches_layer(std::int64_t layer) const { return layer >= first_layer && layer <= last_layer; }
};

struct platform_description {
  std::string name;
  std::string text;  ///< the file's `description`
  std::vector<module_description> modules;
  std::vector<connection> connections;
  std::vector<mapping_rule> mapping;
  std::string parallel = "tensor";  ///< how a group of executors shares the work: tensor | pipeline
  std::string software;             ///< preset of overheads, "" none
  config::node tree;                ///< everything above as read: base chain merged, --set applied

  const module_description* find(const std::string& module) const;
  /// Modules of a group in order, or the one module of that name; empty when there is none.
  std::vector<const module_description*> group(const std::string& name) const;
};

/// Reads a preset by name or a YAML file by path, follows `base:` (a cycle is an error), lays the software preset's
/// overheads over the cores, then applies `sets` ("path=value", the user's last word). Throws input_error with all
/// problems. Paths in `sets` start at the top of the file; `gpu.sms` is short for `modules.gpu.sms`.
platform_description load_platform(const std::string& name_or_file, const std::vector<std::string>& sets = {});
/// As load_platform from a tree in memory (the `config.platform` of a result).
platform_description read_platform(config::node tree, const std::string& name,
                                   const std::vector<std::string>& sets = {});

std::vector<std::string> platform_names();
std::vector<std::string> software_names();

/// Shell-style pattern: * any text, ? one character.
bool matches_glob(const std::string& pattern, const std::string& text);

}  // namespace memwall::platforms
