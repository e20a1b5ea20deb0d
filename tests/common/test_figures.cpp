// SPDX-License-Identifier: Apache-2.0
// A table of figures: one declaration gives JSON, CSV and the description.
#include <gtest/gtest.h>

#include "hw/common/figures.h"

namespace memwall {
namespace {

struct trip {
  std::string who;
  double km = 0;
  std::int64_t stops = 0;
  std::optional<double> fuel;     // left out where nobody measured it
  or_null<std::string> delay_by;  // null where nobody knows

  std::optional<nlohmann::ordered_json> legs;
};

const figure_table<trip>& table() {
  static const auto t = figure_table<trip>("trips[]")
                            .add("who", &trip::who, "", "the driver")
                            .add("km", &trip::km, "km", "the way", sums::adds)
                            .add("stops", &trip::stops, "", "on the way", sums::adds)
                            .add("fuel", &trip::fuel, "l", "burnt", sums::adds)
                            .add("delay_by", &trip::delay_by, "", "the cause")
                            .add(
                                "m", [](const trip& v) { return v.km * 1000; }, "m", "in metres")
                            .csv_only()
                            .add_json("legs", &trip::legs, "object", "km", "its parts",
                                      {{"*", "number", "km", "one", sums::adds, true, false}});
  return t;
}

TEST(figure_table, writes_json_with_what_is_known) {
  trip t{"Ada, L.", 2.5, 3, {}, {}, {}};
  EXPECT_EQ(table().write(t).dump(), R"({"who":"Ada, L.","km":2.5,"stops":3,"delay_by":null})");
  t.fuel = 0.25;
  t.delay_by = std::string("snow");
  t.legs = nlohmann::ordered_json{{"a", 1.0}};
  EXPECT_EQ(table().write(t).dump(),
            R"({"who":"Ada, L.","km":2.5,"stops":3,"fuel":0.25,"delay_by":"snow","legs":{"a":1.0}})");
}

TEST(figure_table, writes_csv_with_a_cell_for_every_column) {
  EXPECT_EQ(table().csv_header(), "who,km,stops,fuel,delay_by,m");
  EXPECT_EQ(table().csv_line({"Ada, L.", 2.5, 3, {}, {}, {}}), "\"Ada, L.\",2.5,3,,,2500");
}

TEST(figure_table, describes_itself) {
  const auto d = table().describe();
  ASSERT_EQ(d.size(), 7u) << "no column of the CSV alone; the inner figure";
  EXPECT_EQ(d[1].path, "trips[].km");
  EXPECT_EQ(d[1].type, "number");
  EXPECT_EQ(d[1].unit, "km");
  EXPECT_EQ(d[1].how, sums::adds);
  EXPECT_TRUE(d[1].always && !d[1].nullable);
  EXPECT_EQ(d[2].type, "integer");
  EXPECT_TRUE(!d[3].always && !d[3].nullable) << "fuel is left out";
  EXPECT_TRUE(d[4].always && d[4].nullable) << "the delay is null";
  EXPECT_FALSE(d[5].always);
  EXPECT_EQ(d[6].path, "trips[].legs.*");
}

}  // namespace
}  // namespace memwall
