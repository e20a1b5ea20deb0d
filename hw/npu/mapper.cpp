// SPDX-License-Identifier: Apache-2.0
#include "hw/npu/mapper.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hw/common/csv.h"
#include "hw/common/error.h"

namespace memwall::npu {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

constexpr const char* orders[] = {"mnk", "nmk", "mkn", "kmn", "nkm", "knm"};

/// How often an operand with the indices `own` crosses: once for each step of the loops that lie outside its innermost
/// own loop and are not its own. A loop of one step does not count.
double crossings(const std::string& order, const char* own, std::int64_t steps_m, std::int64_t steps_n,
                 std::int64_t steps_k) {
  const auto steps = [&](char loop) { return loop == 'm' ? steps_m : loop == 'n' ? steps_n : steps_k; };
  const auto is_own = [&](char loop) { return loop == own[0] || loop == own[1]; };
  int innermost = -1;
  for (int i = 0; i < 3; ++i)
    if (is_own(order[static_cast<std::size_t>(i)]) && steps(order[static_cast<std::size_t>(i)]) > 1) innermost = i;
  double out = 1;
  for (int i = 0; i < innermost; ++i) {
    const char loop = order[static_cast<std::size_t>(i)];
    if (!is_own(loop)) out *= static_cast<double>(steps(loop));
  }
  return out;
}

/// Sizes of tiles worth trying in one dimension, largest first: as few steps as can be for each number of steps.
std::vector<std::int64_t> sizes(std::int64_t whole, std::int64_t step) {
  std::vector<std::int64_t> out;
  const std::int64_t units = divide_up(whole, step);
  for (std::int64_t pieces = 1; pieces <= units;) {
    const std::int64_t each = divide_up(units, pieces);
    out.push_back(std::min(whole, each * step));
    if (each == 1) break;
    pieces = std::max(pieces + 1, divide_up(units, each - 1));  // the next number of pieces with a smaller tile
  }
  return out;
}

double held(double one, double buffers, bool on_chip) {
  return on_chip ? 0 : one * buffers;
}

std::string what_stays(const tiling_problem& p, const tile_traffic& t) {
  const double m = static_cast<double>(p.shape.m), n = static_cast<double>(p.shape.n),
               k = static_cast<double>(p.shape.k);
  std::string out;
  const auto add = [&](bool once, const char* name) {
    if (once) out += (out.empty() ? "" : " ") + std::string(name);
  };
  add(t.input <= m * k * p.input_bytes, "input");
  add(t.weight <= k * n * p.weight_bytes, "weight");
  add(t.output <= m * n * p.output_bytes, "output");
  return out;
}

[[noreturn]] void does_not_fit(const std::string& where, const tiling_problem& p, double needed) {
  throw input_error(problem{where, "scratchpad",
                            fmt::format("tiles of a product {} x {} x {} take {:.0f} B, there are {} B", p.shape.m,
                                        p.shape.n, p.shape.k, needed, p.scratchpad),
                            "a larger scratchpad, smaller tiles or a smaller array", ""});
}

}  // namespace

double bytes_held(const tiling_problem& p, std::int64_t tile_m, std::int64_t tile_n, std::int64_t tile_k) {
  const auto m = static_cast<double>(tile_m), n = static_cast<double>(tile_n), k = static_cast<double>(tile_k);
  const auto buffers = static_cast<double>(p.buffers);
  // Sums are updated in place while K is not complete; a tile with all of K leaves as results.
  const double sum = tile_k < p.shape.k ? std::max(p.sum_bytes, p.output_bytes) : p.output_bytes;
  return held(m * k * p.input_bytes, buffers, p.input_on_chip) + k * n * p.weight_bytes * buffers +
         held(m * n * sum, 1, p.output_on_chip && tile_k >= p.shape.k);
}

tile_traffic traffic_of(const tiling_problem& p, const std::string& order, std::int64_t tile_m, std::int64_t tile_n,
                        std::int64_t tile_k) {
  const std::int64_t sm = divide_up(p.shape.m, tile_m), sn = divide_up(p.shape.n, tile_n),
                     sk = divide_up(p.shape.k, tile_k);
  const double m = static_cast<double>(p.shape.m), n = static_cast<double>(p.shape.n),
               k = static_cast<double>(p.shape.k);
  tile_traffic t;
  if (!p.input_on_chip) t.input = m * k * p.input_bytes * crossings(order, "mk", sm, sn, sk);
  t.weight = k * n * p.weight_bytes * crossings(order, "kn", sm, sn, sk);
  const double visits = crossings(order, "mn", sm, sn, sk);
  if (!p.output_on_chip) t.output = m * n * p.output_bytes;
  t.sums_read = m * n * p.sum_bytes * (visits - 1);
  t.output += 2 * t.sums_read;
  return t;
}

double lower_bound(const tiling_problem& p) {
  const double m = static_cast<double>(p.shape.m), n = static_cast<double>(p.shape.n),
               k = static_cast<double>(p.shape.k);
  const double once = (p.input_on_chip ? 0 : m * k * p.input_bytes) + k * n * p.weight_bytes +
                      (p.output_on_chip ? 0 : m * n * p.output_bytes);
  if (p.input_on_chip || p.output_on_chip) return once;  // the bound below counts them
  const double value = std::min({p.input_bytes, p.weight_bytes, p.output_bytes});
  const double room = static_cast<double>(p.scratchpad) / value;
  return std::max(once, value * (2 * m * n * k / std::sqrt(room) - 2 * room));
}

tiling best_tiling(const tiling_problem& p) {
  const double once = (p.input_on_chip ? 0.0 : static_cast<double>(p.shape.m * p.shape.k) * p.input_bytes) +
                      static_cast<double>(p.shape.k * p.shape.n) * p.weight_bytes +
                      (p.output_on_chip ? 0.0 : static_cast<double>(p.shape.m * p.shape.n) * p.output_bytes);
  const auto ms = sizes(p.shape.m, p.step_m), ns = sizes(p.shape.n, p.step_n), ks = sizes(p.shape.k, p.step_k);
  const auto room = static_cast<double>(p.scratchpad);
  tiling best;
  double best_bytes = HUGE_VAL, best_tiles = HUGE_VAL;
  for (const std::int64_t m : ms) {
    for (const std::int64_t n : ns) {
      // For given m and n a smaller k never helps: the largest that fits.
      const auto fits =
          std::find_if(ks.begin(), ks.end(), [&](std::int64_t k) { return bytes_held(p, m, n, k) <= room; });
      if (fits == ks.end()) continue;
      const double tiles = static_cast<double>(divide_up(p.shape.m, m)) * static_cast<double>(divide_up(p.shape.n, n)) *
                           static_cast<double>(divide_up(p.shape.k, *fits));
      for (const char* order : orders) {
        const tile_traffic t = traffic_of(p, order, m, n, *fits);
        const double bytes = t.total();
        if (bytes > best_bytes || (bytes == best_bytes && tiles >= best_tiles)) continue;
        best_bytes = bytes;
        best_tiles = tiles;
        best.order = order;
        best.tile_m = m;
        best.tile_n = n;
        best.tile_k = *fits;
        best.traffic = t;
      }
    }
    // Sizes shrink from here on, and with them what can be had: every operand once is the least.
    if (best_bytes <= once) break;
  }
  if (best_bytes == HUGE_VAL) does_not_fit("", p, bytes_held(p, ms.back(), ns.back(), ks.back()));
  best.bytes_held = bytes_held(p, best.tile_m, best.tile_n, best.tile_k);
  best.lower_bound = lower_bound(p);
  best.stays = what_stays(p, best.traffic);
  return best;
}

std::string reason(const tiling_problem& p, const tiling& t) {
  const double m = static_cast<double>(p.shape.m), n = static_cast<double>(p.shape.n),
               k = static_cast<double>(p.shape.k);
  const auto times = [](double bytes, double one) {
    return bytes <= 0     ? std::string("on chip")
           : bytes <= one ? std::string("once")
                          : fmt::format("{:.3g} times", bytes / one);
  };
  return fmt::format(
      "order {}, tiles {} x {} x {} ({:.0f} of {} B): inputs {}, weights {}, results {}; {:.3f} x the lower bound",
      t.order, t.tile_m, t.tile_n, t.tile_k, t.bytes_held, p.scratchpad, times(t.traffic.input, m * k * p.input_bytes),
      times(t.traffic.weight, k * n * p.weight_bytes), times(t.traffic.output, m * n * p.output_bytes),
      t.lower_bound > 0 ? t.traffic.total() / t.lower_bound : 1.0);
}

std::vector<mapping_line> read_mappings(const std::string& path) {
  const std::string columns = "m,n,k,order,tile_m,tile_n,tile_k";
  csv_reader in(path, "a table with the columns " + columns, '#');
  if (const std::string head = fmt::format("{}", fmt::join(in.head(), ",")); head != columns)
    throw input_error(problem{in.where(), "", "has the columns '" + head + "'", columns, ""});
  std::vector<mapping_line> out;
  for (std::vector<std::string> cells; in.next(cells);) {
    mapping_line line;
    line.where = in.where();
    std::int64_t* const numbers[] = {&line.shape.m, &line.shape.n, &line.shape.k, nullptr,
                                     &line.tile_m,  &line.tile_n,  &line.tile_k};
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (numbers[i] == nullptr) continue;
      char* end = nullptr;
      *numbers[i] = std::strtoll(cells[i].c_str(), &end, 10);
      constexpr std::int64_t most = std::int64_t{1} << 40;  // a value beyond 64 bits is read as the largest
      if (cells[i].empty() || *end != '\0' || *numbers[i] < 0 || *numbers[i] > most)
        throw input_error(problem{line.where, in.head()[i], "got '" + cells[i] + "'", "an integer, 0 to 2^40", ""});
    }
    line.order = cells[3];
    if (std::find(std::begin(orders), std::end(orders), line.order) == std::end(orders))
      throw input_error(
          problem{line.where, "order", "got '" + line.order + "'", "one of: mnk, nmk, mkn, kmn, nkm, knm", ""});
    if (out.size() >= 100000) throw input_error(problem{line.where, "", "too many lines", "at most 100000", ""});
    out.push_back(line);
  }
  return out;
}

bool mapped_tiling(const std::vector<mapping_line>& lines, const tiling_problem& p, tiling& out) {
  for (const mapping_line& line : lines) {
    const auto matches = [](std::int64_t asked, std::int64_t is) { return asked == 0 || asked == is; };
    if (!matches(line.shape.m, p.shape.m) || !matches(line.shape.n, p.shape.n) || !matches(line.shape.k, p.shape.k))
      continue;
    const auto size = [](std::int64_t asked, std::int64_t whole) {
      return asked == 0 ? whole : std::min(asked, whole);
    };
    out.order = line.order;
    out.tile_m = size(line.tile_m, p.shape.m);
    out.tile_n = size(line.tile_n, p.shape.n);
    out.tile_k = size(line.tile_k, p.shape.k);
    out.bytes_held = bytes_held(p, out.tile_m, out.tile_n, out.tile_k);
    if (out.bytes_held > static_cast<double>(p.scratchpad)) does_not_fit(line.where, p, out.bytes_held);
    out.traffic = traffic_of(p, out.order, out.tile_m, out.tile_n, out.tile_k);
    out.lower_bound = lower_bound(p);
    out.stays = what_stays(p, out.traffic);
    return true;
  }
  return false;
}

}  // namespace memwall::npu
