// SPDX-License-Identifier: Apache-2.0
// Between the schedule's orders and the cores: carries an order out, or lets the time pass that a reuse_book knows it
// takes, and counts what it moved at every module on its way.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "platforms/build/symmetry.h"
#include "platforms/build/system.h"
#include "platforms/execute/reuse_book.h"
#include "platforms/execute/tally_book.h"
#include "platforms/watch/observe.h"

namespace memwall::platforms {

class order_reuse {
 public:
  using ended = std::function<void(const work_result&)>;

  /// Of an order that was wanted exact: how much longer than simulated it was known to take; 0 where it was not known.
  std::function<void(std::uint64_t op, double ps)> on_exact;

  /// All must outlive it.
  order_reuse(system& hw, const symmetry& alike, recorder& observer, double bound);

  /// `exact`: it is to be simulated, whatever is known.
  /// `times`: how many like it the run has.
  void start(std::size_t core, const std::string& name, const operation& op, bool exact, double times, ended done);
  /// How many times as many bytes went through a module as were given to it: others like them were stood for.
  double grown(const hardware& module) const;
  /// How many times as long a core worked as it did for what was given to it.
  double lasted(const stream_core& core) const;

  /// All orders have ended: memories are told what they would have counted.
  void finish();
  const reuse_report& report() const { return m_book.report(); }
  /// Why nothing is reused on this platform; "": it is.
  const std::string& hindrance() const { return m_hindrance; }

 private:
  /// From a core to a memory.
  struct route {
    struct hop {
      std::size_t module = 0;  ///< number in the system
      const std::string* name = nullptr;
      moved_bytes* unseen = nullptr;
      double* stood_for = nullptr;
      tally_book* tally = nullptr;  ///< of a DRAM
    };
    std::vector<hop> hops;
    double bytes_per_s = 0;  ///< of the narrowest
    ps_t latency = 0;
    bool refreshes = false;  ///< the memory does
  };
  struct under_way {
    std::size_t core = 0, kind = 0;
    bool simulated = false;
    std::vector<std::size_t> modules;   ///< sorted
    std::vector<tally_book*> memories;  ///< that count
  };

  void age_cache(std::size_t core, const std::string& name);
  const route& route_to(std::size_t core, const std::string& name, std::uint64_t address);
  order_shape shape_of(std::size_t core, const std::string& name, const operation& op, const work& plan,
                       std::vector<std::size_t>& modules);
  void simulate(std::size_t core, const std::string& name, const operation& op, work plan, order_shape shape,
                bool counts, bool exact, ended done);
  void let_pass(std::size_t core, const std::string& name, const operation& op, const work& plan,
                const order_outcome& known, ended done);
  void count_unseen(std::size_t core, const std::string& name, const work& plan, ps_t begin, ps_t end);
  std::vector<tally_book*> begin_tallies(std::size_t core, const std::string& name, const work& plan, std::size_t kind,
                                         bool simulated);
  void leave(std::size_t core);

  system& m_system;
  const symmetry& m_alike;
  recorder& m_observer;
  reuse_book m_book;
  std::string m_hindrance;
  std::map<std::pair<std::size_t, std::size_t>, route> m_routes;  // by core and memory
  std::map<std::string, double> m_stood_for;                      // bytes by module, beyond those given
  std::map<int, double> m_worked_for;           // time by core (its id), beyond that of what was given
  std::map<std::size_t, double> m_unseen;       // bytes by core that its caches have not been told of
  std::map<std::size_t, tally_book> m_tallies;  // by module
  std::vector<under_way> m_under_way;
};

}  // namespace memwall::platforms
