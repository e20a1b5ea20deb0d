// SPDX-License-Identifier: Apache-2.0
// What the rules of a controller have in common: each kind is an interface (scheduler.h, page_policy.h, refresh.h,
// queues.h, front_end.h) with a registry, each rule a file that registers itself, and one line in sources.cmake. A
// policy holds the state that its rule needs and visits it (state_visitor.h): that is all replay has to know of it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "hw/common/registry.h"
#include "hw/dram/engine/clocks.h"
#include "hw/dram/engine/state_visitor.h"

namespace memwall::dram {

struct channel_setup;

/// A policy of one kind, copied with the channel that it belongs to.
template <class Policy>
class policy_of_channel {
 public:
  policy_of_channel() = default;
  explicit policy_of_channel(std::unique_ptr<Policy> p) : m_policy(std::move(p)) {}
  policy_of_channel(const policy_of_channel& o) : m_policy(o.m_policy == nullptr ? nullptr : o.m_policy->clone()) {}
  policy_of_channel(policy_of_channel&&) noexcept = default;
  policy_of_channel& operator=(policy_of_channel o) {
    m_policy = std::move(o.m_policy);
    return *this;
  }
  ~policy_of_channel() = default;
  Policy* operator->() { return m_policy.get(); }
  const Policy* operator->() const { return m_policy.get(); }
  Policy& operator*() { return *m_policy; }

 private:
  std::unique_ptr<Policy> m_policy;
};

/// Gives a policy its clone().
template <class Policy, class Base, class Kind = Base>
class copied : public Base {
 public:
  using Base::Base;
  std::unique_ptr<Kind> clone() const override { return std::make_unique<Policy>(static_cast<const Policy&>(*this)); }
};

/// All policies of a kind by name. The factory gets the setup of the channel's memory.
template <class Base>
using policy_registry = registry<std::function<std::unique_ptr<Base>(const channel_setup&)>>;
template <class Base>
policy_registry<Base>& policies();

/// At the end of a policy's file:  const policy_entry<scheduler, my_rule> entry{"my_rule", "what it does"};
template <class Base, class Policy>
struct policy_entry : registered<&policies<Base>> {
  policy_entry(const char* name, const char* description)
      : registered<&policies<Base>>(name, description,
                                    [](const channel_setup& s) { return std::make_unique<Policy>(s); }) {}
};

}  // namespace memwall::dram
