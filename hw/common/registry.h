// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hw/common/error.h"

namespace memwall {

/// Named factories of one kind of component. A component adds itself from its own .cpp, see `registered`. Entries are
/// kept sorted by name, so nothing depends on the order of static initialisation.
template <class Factory>
class registry {
 public:
  using factory_type = Factory;
  struct item {
    std::string description;
    Factory factory;
  };

  /// `kind` is the word used in messages: "unknown arbiter 'roundrobin'".
  explicit registry(std::string kind) : m_kind(std::move(kind)) {}

  void add(std::string name, std::string description, Factory factory) {
    m_items.insert_or_assign(std::move(name), item{std::move(description), std::move(factory)});
  }
  bool contains(const std::string& name) const { return m_items.count(name) != 0; }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, unused] : m_items) out.push_back(name);
    return out;
  }
  const std::map<std::string, item>& items() const { return m_items; }

  /// Throws input_error with the nearest name when there is no such component.
  const Factory& get(const std::string& name, const std::string& where = {}, const std::string& key = {}) const {
    const auto found = m_items.find(name);
    if (found != m_items.end()) return found->second.factory;
    throw input_error(problem{where, key, "unknown " + m_kind + " '" + name + "'", "one of: " + joined(names()),
                              nearest_name(name, names())});
  }

 private:
  std::string m_kind;
  std::map<std::string, item> m_items;
};

/// Adds a component when the program starts. Every registry has a name for its own, and a component's file ends with
/// one:
///   const arbiter_entry entry{"round_robin", "takes turns", [] { return std::make_unique<round_robin>(); }};
template <auto All>
class registered {
 public:
  using factory_type = typename std::remove_reference_t<decltype(All())>::factory_type;
  registered(std::string name, std::string description, factory_type factory) {
    All().add(std::move(name), std::move(description), std::move(factory));
  }
};

}  // namespace memwall
