// SPDX-License-Identifier: Apache-2.0
// Who answers for which addresses.
#pragma once
#include <boost/icl/interval_map.hpp>
#include <cstdint>
#include <optional>

namespace memwall {

/// Ranges of addresses, each of one owner (a number of the caller's); no two share an address.
class address_ranges {
 public:
  /// `last`: the range's last address, so that it may end where the address space does; not below `base`. Returns who
  /// owns some of it already: then nothing changes.
  std::optional<std::size_t> claim(std::uint64_t base, std::uint64_t last, std::size_t whose) {
    const auto wanted = interval::closed(base, last);
    if (const auto taken = m_owners.find(wanted); taken != m_owners.end()) return taken->second.number;
    m_owners.insert({wanted, {whose}});
    return std::nullopt;
  }
  std::optional<std::size_t> owner_of(std::uint64_t address) const {
    const auto at = m_owners.find(address);
    return at == m_owners.end() ? std::nullopt : std::optional(at->second.number);
  }

 private:
  using interval = boost::icl::interval<std::uint64_t>;
  /// Two owners do not add up to one, so that ranges that touch stay apart.
  struct owner {
    std::size_t number = 0;
    owner& operator+=(const owner& o) { return number += o.number, *this; }
    bool operator==(const owner& o) const { return number == o.number; }
  };
  boost::icl::interval_map<std::uint64_t, owner, boost::icl::partial_enricher> m_owners;
};

}  // namespace memwall
