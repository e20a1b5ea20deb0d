// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "tools/sweep/digest.h"

namespace {
using namespace memwall::sweep;
using testing::ElementsAre;

TEST(sweep_pareto, front_and_volume_by_hand) {
  const std::vector<objectives> p = {{1, 4}, {2, 2}, {4, 1}, {3, 3}, {2, 2}, {5, 5}};
  EXPECT_THAT(pareto_front(p), ElementsAre(0, 1, 2));
  // Below (5, 5): columns x in [1,2): 1, [2,4): 3 high each, [4,5): 4.
  EXPECT_DOUBLE_EQ(hypervolume(p, {5, 5}), 1 * 1 + 2 * 3 + 1 * 4);
  EXPECT_DOUBLE_EQ(hypervolume({{0, 0, 0}}, {2, 3, 4}), 24);
  // Two boxes 2x2x2 and 1x3x3 anchored at (3,3,3): 8 + 9 - common 1x2x2.
  EXPECT_DOUBLE_EQ(hypervolume({{1, 1, 1}, {2, 0, 0}}, {3, 3, 3}), 8 + 9 - 4);
  EXPECT_DOUBLE_EQ(hypervolume({{9, 9}}, {5, 5}), 0);
  EXPECT_DOUBLE_EQ(hypervolume({{2}, {3}}, {5}), 3);
}

// Against counting the cells of a grid that some point dominates.
TEST(sweep_pareto, volume_of_random_points_by_counting) {
  for (std::size_t m = 2; m <= 4; ++m)
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      constexpr int side = 6;
      std::vector<objectives> p;
      for (std::uint64_t i = 0; i < 8; ++i) {
        objectives o;
        for (std::size_t k = 0; k < m; ++k) o.push_back(static_cast<double>(mix(seed * 10 + m, i, k) % side));
        p.push_back(o);
      }
      int cells = 0, total = 1;
      for (std::size_t k = 0; k < m; ++k) total *= side;
      for (int c = 0; c < total; ++c) {
        bool in = false;
        for (const auto& o : p) {
          bool here = true;
          for (int k = 0, rest = c; k < static_cast<int>(m); ++k, rest /= side)
            here = here && rest % side >= o[static_cast<std::size_t>(k)];
          in = in || here;
        }
        cells += in;
      }
      const objectives reference(m, side);
      EXPECT_DOUBLE_EQ(hypervolume(p, reference), cells);
      // The gain of a point is the difference it makes.
      std::vector<objectives> fewer(p.begin(), p.end() - 1);
      EXPECT_NEAR(hypervolume_gain(fewer, p.back(), reference), cells - hypervolume(fewer, reference), 1e-9);
    }
}

TEST(sweep_surrogate, passes_through_what_it_learned_and_doubts_elsewhere) {
  surrogate s(space{{false, true}});
  std::vector<std::vector<double>> x;
  std::vector<double> y;
  for (int i = 0; i <= 10; ++i)
    for (const double kind : {0.0, 1.0}) {
      x.push_back({i / 10.0, kind});
      y.push_back(std::sin(4 * x.back()[0]) + 3 * kind);
    }
  s.fit(x, y, true);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(s.at({x[i]})[0].mean, y[i], 1e-2);
  // The bound of linear interpolation at this spacing is h^2/8 max|f''| = 0.02; the process is smoother than
  // that.
  EXPECT_NEAR(s.at({{0.55, 1}})[0].mean, std::sin(2.2) + 3, 0.02);
  EXPECT_GT(s.at({{0.55, 0.5}})[0].deviation, 2 * s.at({{0.55, 0}})[0].deviation);
}

TEST(sweep_space, distance_is_one_between_kinds_and_along_the_axis_otherwise) {
  const space s{{false, true}};
  EXPECT_DOUBLE_EQ(s.distance(0, 0.75, 0.5), 0.25);
  EXPECT_DOUBLE_EQ(s.distance(0, 0.5, 0.75), 0.25);
  EXPECT_EQ(s.distance(1, 0.5, 0.75), 1);
  EXPECT_EQ(s.distance(1, 0.5, 0.5), 0);
  // An axis that a point leaves out: alike in both, as far as can be in one.
  for (const std::size_t axis : {0U, 1U}) {
    EXPECT_EQ(s.distance(axis, NAN, NAN), 0);
    EXPECT_EQ(s.distance(axis, NAN, 0.5), 1);
    EXPECT_EQ(s.distance(axis, 0.5, NAN), 1);
  }
}

/// Matern 5/2 (Rasmussen and Williams, equation 4.17): r is the distance in length scales.
double matern(double r) {
  return (1 + std::sqrt(5) * r + 5 * r * r / 3) * std::exp(-std::sqrt(5) * r);
}

// Two points a and b with values m + s and m - s, that is 1 and -1 standardised. Their covariance is [1 k; k 1], whose
// inverse is [1 -k; -k 1] / (1 - k^2). A point with covariances p and q to them has the mean m + s (p - q) / (1 - k);
// the process has the variance y' K^-1 y / 2 = 1 / (1 - k), of which (p^2 + q^2 - 2 k p q) / (1 - k^2) is known there
// (equations 2.25 and 2.26). Length scales that were not chosen are 1.2.
TEST(sweep_surrogate, guesses_between_two_points_as_the_closed_form) {
  surrogate s(space{{false, true}});
  s.fit({{0.25, 0}, {0.75, 1}}, {7, 3}, false);
  const double k = matern(std::sqrt(0.5 * 0.5 + 1) / 1.2);
  std::vector<std::vector<double>> asked;
  // Their number is more than what is worked on at once.
  for (int i = 0; i < 21; ++i) asked.push_back({i / 20.0, i % 3 == 0 ? 1.0 : i % 3 == 1 ? 0.0 : 0.5});
  asked.push_back({NAN, 0});
  const auto guesses = s.at(asked);
  ASSERT_EQ(guesses.size(), asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const bool out = std::isnan(asked[i][0]);
    const auto from = [&](double x, double kind) {
      const double along = out ? 1 : asked[i][0] - x, across = asked[i][1] == kind ? 0 : 1;
      return matern(std::sqrt(along * along + across * across) / 1.2);
    };
    const double p = from(0.25, 0), q = from(0.75, 1);
    EXPECT_NEAR(guesses[i].mean, 5 + 2 * (p - q) / (1 - k), 1e-4) << i;
    const double open = 1 - (p * p + q * q - 2 * k * p * q) / (1 - k * k);
    // The nugget of 1e-6 on the diagonal shows where all is known: a deviation of sqrt(1e-6) of the process.
    EXPECT_NEAR(guesses[i].deviation, 2 * std::sqrt(std::max(0.0, open) / (1 - k)), 2 * 2e-3 / std::sqrt(1 - k)) << i;
  }
}

// The likelihood sees that a function varies along one axis only: far along the other one nothing is in doubt.
TEST(sweep_surrogate, an_axis_that_changes_nothing_gets_a_long_scale) {
  surrogate s(space{{false, false}});
  std::vector<std::vector<double>> x;
  std::vector<double> y;
  for (int i = 0; i <= 8; ++i)
    for (int j = 0; j <= 2; ++j) {
      x.push_back({i / 8.0, j / 4.0});
      y.push_back(std::sin(9 * x.back()[0]));
    }
  s.fit(x, y, true);
  const auto guesses = s.at({{0.5, 1}, {1.5, 0.5}});
  EXPECT_NEAR(guesses[0].mean, std::sin(4.5), 0.02);
  EXPECT_GT(guesses[1].deviation, 10 * guesses[0].deviation);
}

/// A grid whose results are known: what the search may ask.
struct known_grid {
  space axes;
  std::vector<std::vector<double>> coordinates;
  std::vector<std::optional<objectives>> results;
};

// A grid of 4,000 designs: 20 bandwidths x 10 array counts x 5 batches x 4 data types. Time is the roofline
// of streaming the weights and computing, with the knee where they cross, plus a fixed launch; energy a token
// is traffic and arithmetic at widths that cost more the faster they are, plus leakage over the time; the
// fastest memories do not exist with the most arrays. Costs of 4 pJ/bit of DRAM traffic and 1 pJ a MAC are
// the orders of magnitude of Horowitz, ISSCC 2014.
struct design_grid : known_grid {
  static constexpr std::size_t sizes[4] = {20, 10, 5, 4};
  static constexpr std::size_t count = 4000;

  explicit design_grid(bool third) {
    axes = space{{false, false, false, true}};
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t at[4], rest = i;
      for (std::size_t d = 4; d-- > 0; rest /= sizes[d]) at[d] = rest % sizes[d];
      std::vector<double> c;
      for (std::size_t d = 0; d < 4; ++d) c.push_back(static_cast<double>(at[d]) / static_cast<double>(sizes[d] - 1));
      coordinates.push_back(c);
      const double bandwidth = 50e9 * std::pow(1.25, static_cast<double>(at[0]));  // B/s
      const double arrays = std::exp2(static_cast<double>(at[1]));
      const double batch = std::exp2(static_cast<double>(at[2]) * 2);
      const double bits = std::vector<double>{16, 8, 4, 4.5}[at[3]];
      if (at[0] >= 16 && at[1] >= 8) {
        results.emplace_back();
        continue;
      }
      const double weights = 7e9 * bits / 8, macs = 7e9 * batch;
      const double stream = weights / bandwidth, compute = macs * (at[3] == 3 ? 1.3 : bits / 8) / (arrays * 2e11);
      const double time = std::max(stream, compute) + 0.1 * std::min(stream, compute) + 2e-4;
      const double energy = weights * 8 * 4e-12 * (0.6 + 0.4 * std::pow(bandwidth / 1e12, 1.5)) +
                            macs * 1e-12 * bits / 8 + time * (2 + 0.15 * arrays + 8 * bandwidth / 1e12);
      objectives o = {time * 1e9, energy / batch * 1e12};
      if (third) o.push_back(80 + 1.5 * arrays + 90 * bandwidth / 1e12);  // mm2
      results.emplace_back(o);
    }
  }
};

// 4,000 simulations of one layer of a small model on cim_dram, recorded by `memwall sweep` (recorded_grid.csv: the
// levels of the axes, then time and energy a token; its file is recorded_grid.yaml).
known_grid recorded_grid() {
  known_grid g;
  g.axes = space{{false, false, false, false, false, true}};
  std::ifstream in(std::string(MEMWALL_SOURCE_DIR) + "/tests/tools/sweep/recorded_grid.csv");
  std::vector<std::vector<double>> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || !std::isdigit(static_cast<unsigned char>(line[0]))) continue;
    std::vector<double> row;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(std::stod(cell));
    rows.push_back(row);
  }
  const std::size_t axes = 6;
  std::vector<double> last(axes, 0);
  for (const auto& r : rows)
    for (std::size_t k = 0; k < axes; ++k) last[k] = std::max(last[k], r[k]);
  for (const auto& r : rows) {
    std::vector<double> c;
    for (std::size_t k = 0; k < axes; ++k) c.push_back(r[k] / last[k]);
    g.coordinates.push_back(c);
    g.results.emplace_back(objectives{r[axes], r[axes + 1]});
  }
  return g;
}

/// A front's volume in logarithms, so that every decade counts, below the worst values on the true front: the
/// strictest reference there is, as a single point of the front already fills most of the box up to the worst
/// of the grid.
struct judge {
  std::vector<objectives> all;
  objectives reference;
  explicit judge(const known_grid& grid) {
    for (const auto& r : grid.results)
      if (r) all.push_back(logs(*r));
    reference.assign(all.front().size(), -INFINITY);
    for (const std::size_t f : pareto_front(all))
      for (std::size_t k = 0; k < reference.size(); ++k) reference[k] = std::max(reference[k], all[f][k]);
    for (double& r : reference) r += 1e-9;
  }
  static objectives logs(objectives o) {
    for (double& v : o) v = std::log(v);
    return o;
  }
  double share(const std::vector<objectives>& some) const {
    return hypervolume(some, reference) / hypervolume(all, reference);
  }
};

double found_share(const known_grid& grid, std::size_t budget, std::uint64_t seed) {
  const judge j(grid);
  EXPECT_GE(pareto_front(j.all).size(), 20U);  // else the question is too easy
  pareto_search search(grid.axes, grid.coordinates, j.reference.size(), budget, seed);
  std::set<std::size_t> asked;
  std::vector<objectives> some;
  for (auto batch = search.propose(); !batch.empty(); batch = search.propose())
    for (const std::size_t c : batch) {
      EXPECT_TRUE(asked.insert(c).second) << "asked twice for " << c;
      search.tell(c, grid.results[c]);
      if (grid.results[c]) some.push_back(judge::logs(*grid.results[c]));
    }
  EXPECT_LE(asked.size(), budget);
  return j.share(some);
}

double random_share(const known_grid& grid, std::size_t budget, std::uint64_t seed) {
  std::set<std::size_t> asked;
  std::vector<objectives> some;
  for (std::uint64_t i = 0; asked.size() < budget; ++i) {
    const std::size_t c = mix(seed, 99, i) % grid.results.size();
    if (asked.insert(c).second && grid.results[c]) some.push_back(judge::logs(*grid.results[c]));
  }
  return judge(grid).share(some);
}

TEST(sweep_search, a_tenth_of_the_grid_finds_nine_tenths_of_the_front) {
  const design_grid grid(false);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const double share = found_share(grid, design_grid::count / 10, seed),
                 luck = random_share(grid, design_grid::count / 10, seed);
    RecordProperty("share_seed_" + std::to_string(seed), std::to_string(share) + ", at random " + std::to_string(luck));
    EXPECT_GE(share, 0.9) << "seed " << seed;
    EXPECT_GT(share, luck) << "seed " << seed;
  }
}

TEST(sweep_search, a_tenth_of_a_recorded_grid_finds_nine_tenths_of_the_front) {
  const known_grid grid = recorded_grid();
  ASSERT_EQ(grid.results.size(), 4000U);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const double share = found_share(grid, 400, seed), luck = random_share(grid, 400, seed);
    RecordProperty("share_seed_" + std::to_string(seed), std::to_string(share) + ", at random " + std::to_string(luck));
    EXPECT_GE(share, 0.9) << "seed " << seed;
    EXPECT_GT(share, luck) << "seed " << seed;
  }
}

TEST(sweep_search, a_fortieth_does_too) {
  const design_grid grid(false);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const double share = found_share(grid, design_grid::count / 40, seed);
    RecordProperty("share_seed_" + std::to_string(seed),
                   std::to_string(share) + ", at random " + std::to_string(random_share(grid, 100, seed)));
    EXPECT_GE(share, 0.9) << "seed " << seed;
  }
}

TEST(sweep_search, three_objectives) {
  const design_grid grid(true);
  const double share = found_share(grid, 200, 1);
  RecordProperty("share", std::to_string(share) + ", at random " + std::to_string(random_share(grid, 200, 1)));
  EXPECT_GE(share, 0.9);
}

TEST(sweep_search, whole_small_grid_is_exhausted) {
  std::vector<std::vector<double>> c;
  for (int i = 0; i < 9; ++i) c.push_back({i / 8.0});
  pareto_search s(space{{false}}, c, 1, 100, 1);
  std::set<std::size_t> asked;
  for (auto batch = s.propose(); !batch.empty(); batch = s.propose())
    for (const std::size_t i : batch)
      asked.insert(i), s.tell(i, i % 2 != 0 ? std::optional<objectives>() : objectives{static_cast<double>(i)});
  EXPECT_EQ(asked.size(), 9U);
}

}  // namespace
