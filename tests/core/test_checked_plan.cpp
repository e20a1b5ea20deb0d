// SPDX-License-Identifier: Apache-2.0
// Plans that clocks cannot count are refused, whoever made them, with the operator's name.
#include "hw/core/checked_plan.h"

#include <gtest/gtest.h>

#include <functional>

#include "hw/common/checked.h"

namespace memwall {
namespace {

class made_up final : public core_model {
 public:
  explicit made_up(std::function<work()> make) : m_make(std::move(make)) {}
  work plan(const operation&) override { return m_make(); }
  double peak_rate(const std::string&) const override { return 1e12; }
  nlohmann::ordered_json config() const override { return {}; }

 private:
  std::function<work()> m_make;
};

/// What is said of a plan; "" where it is taken.
std::string said_of(std::function<work()> make) {
  made_up model(std::move(make));
  operation op;
  op.name = "mlp";
  op.m = 7;
  try {
    checked_plan(model, op);
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}
std::string said_of(const std::function<void(work&)>& change) {
  return said_of([&]() -> work {
    work w;
    w.launch = 5000;
    w.host = 5000;
    w.drain = 1000;
    w.compute[stall::compute] = 100;
    change(w);
    return w;
  });
}

TEST(checked_plan, plans_that_clocks_can_count_are_taken) {
  EXPECT_EQ(said_of([](work&) {}), "");
  EXPECT_EQ(said_of([](work& w) { w.compute[stall::compute] = longest_run - 6000; }), "");
  EXPECT_EQ(said_of([](work& w) { w = {}; }), "");
}

TEST(checked_plan, others_are_refused_by_name) {
  const std::string text = said_of([](work& w) { w.drain = -1; });
  EXPECT_NE(text.find("operator 'mlp' is too large: its time passes what the clocks count"), std::string::npos) << text;
  EXPECT_NE(text.find("m 7"), std::string::npos) << text;
  EXPECT_NE(said_of([](work& w) {
              w.launch = -1;
              w.host = -1;
            }),
            "");
  EXPECT_NE(said_of([](work& w) { w.compute[stall::link] = -1; }), "");
  EXPECT_NE(said_of([](work& w) { w.host = -1; }), "");
  EXPECT_NE(said_of([](work& w) { w.host = 5001; }), "") << "a part of the launch";
  EXPECT_NE(said_of([](work& w) { w.energy_pj = -0.5; }), "");
  // Parts that are good each, but not together; and so large that their sum in picoseconds would wrap.
  EXPECT_NE(said_of([](work& w) { w.compute[stall::compute] = longest_run; }), "");
  EXPECT_NE(said_of([](work& w) { w.launch = longest_run; }), "");
  EXPECT_NE(said_of([](work& w) { w.launch = w.drain = INT64_MAX; }), "");
}

TEST(checked_plan, what_a_model_refuses_is_said_of_its_operator_once) {
  const auto too_large = said_of([]() -> work { throw std::overflow_error("a time passes 9,000 s"); });
  EXPECT_NE(too_large.find("operator 'mlp' is too large: a time passes 9,000 s"), std::string::npos) << too_large;
  const auto refused = said_of([]() -> work { throw input_error(problem{"", "dtype", "has no unit for it", "", ""}); });
  EXPECT_NE(refused.find("operator 'mlp': has no unit for it"), std::string::npos) << refused;
  const auto named = said_of([]() -> work { throw input_error(problem{"", "", "operator 'mlp' is odd", "", ""}); });
  EXPECT_EQ(named.find("operator 'mlp'"), named.rfind("operator 'mlp'")) << named;
}

}  // namespace
}  // namespace memwall
