// SPDX-License-Identifier: Apache-2.0
// core - a - b - memory, and core - c - memory; a core is no way to another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platforms/build/ways.h"

namespace memwall::platforms {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ways, the_shortest_through_buses_and_links) {
  ways w({{"core", "a", ""},
          {"a", "b", ""},
          {"b", "memory", ""},
          {"core", "c", ""},
          {"c", "memory", ""},
          {"c", "core2", ""},
          {"core2", "far", ""}});
  EXPECT_THAT(w.way("core", "memory"), IsEmpty()) << "nothing is passed through yet";
  for (const char* bus : {"a", "b"}) w.pass_through(bus);
  EXPECT_THAT(w.way("core", "memory"), ElementsAre("a", "b", "memory"));
  w.pass_through("c");
  EXPECT_THAT(w.way("core", "memory"), ElementsAre("c", "memory"));
  EXPECT_THAT(w.way("a", "memory"), ElementsAre("b", "memory"));
  EXPECT_THAT(w.way("core", "far"), IsEmpty()) << "through another core";
  EXPECT_THAT(w.way("core2", "far"), ElementsAre("far")) << "its own connection";
  EXPECT_THAT(w.way("memory", "core"), IsEmpty()) << "connections have a direction";
  EXPECT_THAT(w.way("core", "core"), IsEmpty());
  EXPECT_THAT(w.way("core", "nobody"), IsEmpty());
}

TEST(ways, of_two_alike_the_one_that_comes_first) {
  ways w({{"core", "y", ""}, {"core", "x", ""}, {"x", "memory", ""}, {"y", "memory", ""}});
  w.pass_through("x");
  w.pass_through("y");
  EXPECT_THAT(w.way("core", "memory"), ElementsAre("y", "memory"));
}

}  // namespace
}  // namespace memwall::platforms
