// SPDX-License-Identifier: Apache-2.0
// What an analog crossbar computes. Levels, sums and ranges are in units of the integer product, so that with
// ideal settings every step is exact arithmetic on small integers.
#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "hw/cim/analog_crossbar.h"
#include "hw/cim/cells.h"
#include "hw/cim/products.h"
#include "hw/cim/weight_store.h"

namespace memwall::cim {
namespace {

constexpr double read_window_s = 250e-9;  // t_read of the 1/f noise law (AIHWKit's PCM model)

// Streams of random numbers drawn from one seed.
enum class stream : std::uint64_t { program = 1, drift = 2, read = 3, output = 4 };

// A slice of the weights as a read sees it at one age: what each cell pair adds to its column, what a reference read
// tells, and how large the read noise of a column is.
struct plane {
  double unit = 1;         // level of a cell at g_max
  int shift = 0;           // place of the slice
  double gain = 1;         // of drift compensation
  std::vector<float> net;  // plus - minus, in units of the weight digit; exact integers without errors; rows x cols
  std::vector<float> plus, minus;      // kept where the wires' resistance tells them apart
  weight_vector<std::int16_t> coarse;  // net x coarse_scale, instead of net in an array that has settled
  double coarse_scale = 1;
  std::vector<float> noise;       // by group of rows and column: mean variance of a cell's read noise
  std::vector<double> strongest;  // by group of rows: largest sum of squares of a column
};

// What is added up by column while a plane is made.
struct column_facts {
  std::vector<double> squares, noise;  // of a group of rows: of what was programmed; of read noise
  std::vector<double> before, now;     // of the whole array: levels when programmed, and at the age
};

// A row of cells, and the normal numbers of a pair.
struct pair_row {
  std::vector<float> plus, minus, of_plus, of_minus;
  pair_row(std::size_t columns, bool pairs)
      : plus(columns), minus(pairs ? columns : 0), of_plus(columns, 0.0F), of_minus(columns, 0.0F) {}
  float net(std::size_t c) const { return minus.empty() ? plus[c] : plus[c] - minus[c]; }
  void add_levels(std::vector<double>& sums) const {
    for (const auto* levels : {&plus, &minus})
      for (std::size_t c = 0; c < levels->size(); ++c) sums[c] += static_cast<double>((*levels)[c]);
  }
};

class analog_array final : public programmed_array {
 public:
  analog_array(const analog_crossbar_params& p, const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
               number_format format, std::uint64_t seed)
      : m_p(p), m_rows(rows), m_cols(cols), m_seed(seed), m_format(format) {
    m_weight_offset = !p.differential && format.is_signed ? -format.low() : 0;
    m_column_sum.assign(static_cast<std::size_t>(cols), 0);
    m_digits.resize(static_cast<std::size_t>(rows * cols));
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < cols; ++c) {
        const std::int64_t w = weights[r * cols + c] + m_weight_offset;
        m_digits[static_cast<std::size_t>(r * cols + c)] = static_cast<std::int32_t>(w);
        m_column_sum[static_cast<std::size_t>(c)] += w;
      }
  }

  std::int64_t rows() const override { return m_rows; }
  std::int64_t cols() const override { return m_cols; }

  void compute(const std::int32_t* inputs, number_format in, double* outputs, double age,
               std::uint64_t read) const override {
    compute_many(inputs, 1, in, outputs, age, read);
  }

  void compute_many(const std::int32_t* inputs, std::int64_t vectors, number_format in, double* outputs, double age,
                    std::uint64_t read) const override {
    const auto aged = image(age);
    for (std::int64_t v = 0; v < vectors; ++v)
      compute_one(*aged, inputs + v * m_rows, in, outputs + v * m_cols, read + static_cast<std::uint64_t>(v));
  }

  void settle(double age) override {
    if (m_settled) {
      image(age);  // another age is an error
      return;
    }
    auto aged = std::make_shared<std::vector<plane>>(make_planes(age));
    // With wire resistance the cells of a pair stay apart.
    if (m_p.ir_drop == 0)
      for (plane& w : *aged) make_coarse(w);
    m_settled = true;
    m_age = age;
    m_image = std::move(aged);
    std::vector<std::int32_t>().swap(m_digits);
  }

 private:
  std::int64_t parallel() const { return m_p.rows_parallel > 0 ? m_p.rows_parallel : m_rows; }

  void compute_one(const std::vector<plane>& planes, const std::int32_t* inputs, number_format in, double* outputs,
                   std::uint64_t read) const {
    const bool bipolar = m_p.signed_inputs == "bipolar" && in.is_signed;
    const std::int64_t input_offset = !bipolar && in.is_signed ? -in.low() : 0;
    const auto widths = input_slices(m_p, in.bits, in.is_signed);
    std::fill(outputs, outputs + m_cols, 0.0);
    std::vector<std::int32_t> digits(static_cast<std::size_t>(m_rows));
    std::vector<double> sums(static_cast<std::size_t>(m_cols));
    std::uint64_t conversion = 0;
    int shift = 0;
    std::int64_t input_sum = 0;
    for (std::int64_t r = 0; r < m_rows; ++r) input_sum += inputs[r] + input_offset;
    for (std::size_t s = 0; s < widths.size(); ++s) {
      const bool top = s + 1 == widths.size();
      for (std::int64_t r = 0; r < m_rows; ++r)
        digits[static_cast<std::size_t>(r)] =
            static_cast<std::int32_t>(digit(inputs[r] + input_offset, shift, widths[s], top, bipolar));
      // Sign and magnitude: -2^(b-1) needs one level more than +2^(b-1) - 1.
      const double largest = bipolar && top ? std::ldexp(1.0, widths[s]) : std::ldexp(1.0, widths[s]) - 1;
      for (std::int64_t begin = 0, group = 0; begin < m_rows; begin += parallel(), ++group) {
        const std::int64_t end = std::min(begin + parallel(), m_rows);
        for (const plane& w : planes) {
          const std::uint64_t number = hash(read, conversion);
          column_sums(w, digits.data(), begin, end, group, largest, number, sums);
          const double place = std::ldexp(1.0, shift + w.shift);
          const double range = converter_range(w, end - begin, group, largest);
          convert(sums, w.gain, range, bipolar || m_p.differential, number, place, outputs);
          ++conversion;
        }
      }
      shift += widths[s];
    }
    // Offsets are taken out digitally: (x + a)(w + b) summed = xw + a sum(w + b) + b sum(x + a) - rows a b.
    for (std::int64_t c = 0; c < m_cols; ++c)
      outputs[c] += static_cast<double>(-input_offset * m_column_sum[static_cast<std::size_t>(c)] -
                                        m_weight_offset * input_sum + m_rows * input_offset * m_weight_offset);
  }

  // Digit of an unsigned number, or of a magnitude with the number's sign; the top digit takes all that is
  // left.
  static std::int64_t digit(std::int64_t value, int shift, int width, bool top, bool signed_digits) {
    const std::int64_t magnitude = signed_digits && value < 0 ? -value : value;
    const std::int64_t d = top ? magnitude >> shift : (magnitude >> shift) & ((std::int64_t{1} << width) - 1);
    return signed_digits && value < 0 ? -d : d;
  }

  // What reads see at an age: made once, shared by all who read at it.
  std::shared_ptr<const std::vector<plane>> image(double age) const {
    const std::lock_guard<std::mutex> lock(m_guard);
    if (m_image != nullptr && (m_age == age || (m_settled && !drifts()))) return m_image;
    if (m_settled) throw std::logic_error("an array that has settled is read at another age");
    m_age = age;
    m_image = std::make_shared<std::vector<plane>>(make_planes(age));
    return m_image;
  }

  std::vector<plane> make_planes(double age) const {
    std::vector<plane> out;
    const auto widths = weight_slices(m_p, m_format.bits, m_format.is_signed);
    int shift = 0;
    for (std::size_t k = 0; k < widths.size(); ++k) {
      out.push_back(make_plane(widths[k], shift, k + 1 == widths.size(), k, age));
      shift += widths[k];
    }
    return out;
  }

  // Row by row, so that what is in between stays in the nearest caches.
  plane make_plane(int width, int shift, bool top, std::uint64_t k, double age) const {
    plane out;
    out.shift = shift;
    out.unit = m_p.differential && top && m_format.is_signed ? std::ldexp(1.0, width) : std::ldexp(1.0, width) - 1;
    const auto count = static_cast<std::size_t>(m_rows * m_cols), columns = static_cast<std::size_t>(m_cols);
    out.net.resize(count);
    if (m_p.ir_drop > 0) {
      out.plus.resize(count);
      if (m_p.differential) out.minus.resize(count);
    }
    column_facts facts;
    for (auto* sums : {&facts.squares, &facts.noise, &facts.before, &facts.now}) sums->assign(columns, 0);
    pair_row row(columns, m_p.differential);
    for (std::int64_t begin = 0; begin < m_rows; begin += parallel()) {
      const std::int64_t end = std::min(begin + parallel(), m_rows);
      std::fill(facts.squares.begin(), facts.squares.end(), 0.0);
      std::fill(facts.noise.begin(), facts.noise.end(), 0.0);
      for (std::int64_t r = begin; r < end; ++r) {
        split_levels({shift, width, top, m_p.differential}, &m_digits[static_cast<std::size_t>(r * m_cols)], columns,
                     row.plus.data(), row.minus.data());
        make_row(out, r, k, age, row, facts);
      }
      describe_group(out, facts, end - begin, age);
    }
    double before = 0, now = 0;
    for (std::size_t c = 0; c < columns; ++c) before += facts.before[c], now += facts.now[c];
    // What a reference read of the whole array would tell: total conductance when programmed / now.
    if (m_p.drift_compensation && has_drifted(age) && now > 0) out.gain = before / now;
    return out;
  }

  // One row of cells, whose levels are those wanted: programmed, then drifted.
  void make_row(plane& out, std::int64_t r, std::uint64_t k, double age, pair_row& row, column_facts& facts) const {
    const auto unit = static_cast<float>(out.unit);
    const auto first = static_cast<std::uint64_t>(r * m_cols);
    const auto draw = [&](stream s) {
      gaussian_pairs(seed_of(s, k), first, m_cols, row.of_plus.data(), row.of_minus.data());
    };
    if (m_p.program_noise != 0 || m_p.program_noise_1 != 0 || m_p.program_noise_2 != 0) {
      draw(stream::program);
      const programming p{unit, static_cast<float>(m_p.program_noise), static_cast<float>(m_p.program_noise_1),
                          static_cast<float>(m_p.program_noise_2), m_p.clip_conductance};
      program_cells(p, row.of_plus.data(), row.plus.size(), row.plus.data());
      program_cells(p, row.of_minus.data(), row.minus.size(), row.minus.data());
    }
    if (m_p.adc_ranging == "weights")
      for (std::size_t c = 0; c < row.plus.size(); ++c) {
        const double net = static_cast<double>(row.net(c));
        facts.squares[c] += net * net;
      }
    if (has_drifted(age)) {
      row.add_levels(facts.before);
      if (m_p.drift_spread > 0) draw(stream::drift);
      const drifting d{unit,
                       static_cast<float>(m_p.drift),
                       static_cast<float>(m_p.drift_slope),
                       static_cast<float>(m_p.drift_min),
                       static_cast<float>(m_p.drift_max),
                       static_cast<float>(m_p.drift_spread),
                       static_cast<float>(portable_log(age / m_p.drift_start.value))};
      drift_cells(d, row.of_plus.data(), row.plus.size(), row.plus.data());
      drift_cells(d, row.of_minus.data(), row.minus.size(), row.minus.data());
      row.add_levels(facts.now);
    }
    if (m_p.read_noise > 0) {
      const reading n{unit, static_cast<float>(m_p.read_noise), static_cast<float>(m_p.read_noise_exponent)};
      add_read_variance(n, row.plus.data(), row.plus.size(), facts.noise.data());
      add_read_variance(n, row.minus.data(), row.minus.size(), facts.noise.data());
    }
    if (m_p.ir_drop > 0) {
      std::copy(row.plus.begin(), row.plus.end(), out.plus.begin() + static_cast<std::ptrdiff_t>(first));
      std::copy(row.minus.begin(), row.minus.end(), out.minus.begin() + static_cast<std::ptrdiff_t>(first));
    }
    for (std::size_t c = 0; c < row.plus.size(); ++c) out.net[first + c] = row.net(c);
  }

  // Of a group of rows: each column's mean variance of read noise, and the largest sum of squares of what was
  // programmed (the converter's range is set once, before anything drifts).
  void describe_group(plane& w, const column_facts& facts, std::int64_t rows, double age) const {
    w.strongest.push_back(*std::max_element(facts.squares.begin(), facts.squares.end()));
    if (m_p.read_noise == 0) return;
    const double t = std::max(age, m_p.drift_start.value);
    const double of_time = portable_log((t + read_window_s) / (2 * read_window_s)) / static_cast<double>(rows);
    for (const double v : facts.noise) w.noise.push_back(static_cast<float>(v * of_time));
  }

  std::uint64_t seed_of(stream s, std::uint64_t number) const {
    return hash(hash(m_seed, static_cast<std::uint64_t>(s)), number);
  }

  bool drifts() const { return m_p.drift != 0 || m_p.drift_slope != 0 || m_p.drift_min > 0 || m_p.drift_spread > 0; }
  bool has_drifted(double age) const { return drifts() && age > m_p.drift_start.value; }

  // 16 bits a pair, in whole parts of a digit: integers stay exact.
  void make_coarse(plane& w) const {
    const double largest = std::max(1.0, static_cast<double>(largest_level(w.net.data(), w.net.size())));
    w.coarse_scale = std::max(1.0, std::floor(32767.0 / largest));
    w.coarse.resize(w.net.size());
    round_levels(w.net.data(), w.net.size(), static_cast<float>(w.coarse_scale), w.coarse.data());
    std::vector<float>().swap(w.net);
  }

  // First-order voltage drop along the column wire: the converter sits below row `begin`; the current of a
  // cell passes every segment between it and the converter, and each segment lowers the voltage of the cells
  // beyond it.
  void drop(const std::vector<float>& level, double sign, double unit, const std::int32_t* digits, std::int64_t begin,
            std::int64_t end, double largest, std::vector<double>& sums) const {
    for (std::int64_t c = 0; c < m_cols; ++c) {
      double beyond = 0;  // current (in g_max) through the next segment
      const auto current = [&](std::int64_t r) {
        return digits[r] / (largest * unit) * level[static_cast<std::size_t>(r * m_cols + c)];
      };
      for (std::int64_t r = begin; r < end; ++r) beyond += current(r);
      double fall = 0;
      for (std::int64_t r = begin; r < end; ++r) {
        fall += m_p.ir_drop * beyond;
        const double i = current(r);
        beyond -= i;
        const double lost = std::fabs(i) * fall;
        sums[static_cast<std::size_t>(c)] -= sign * unit * largest * lost;
      }
    }
  }

  void column_sums(const plane& w, const std::int32_t* digits, std::int64_t begin, std::int64_t end, std::int64_t group,
                   double largest, std::uint64_t number, std::vector<double>& sums) const {
    std::fill(sums.begin(), sums.end(), 0.0);
    const auto from = static_cast<std::size_t>(begin * m_cols);
    if (!w.coarse.empty()) {
      add_integer_products(digits + begin, end - begin, &w.coarse[from], m_cols, std::int64_t{32767}, sums.data());
      for (double& s : sums) s /= w.coarse_scale;
    } else {
      add_real_products(digits + begin, end - begin, &w.net[from], m_cols, sums.data());
    }
    if (m_p.ir_drop > 0) {
      drop(w.plus, 1, w.unit, digits, begin, end, largest, sums);
      if (m_p.differential) drop(w.minus, -1, w.unit, digits, begin, end, largest, sums);
    }
    if (m_p.read_noise > 0) {
      // Noise of the cells adds up in power; a column's cells count with their mean.
      double squares = 0;
      for (std::int64_t r = begin; r < end; ++r) squares += static_cast<double>(digits[r]) * digits[r];
      std::vector<float> normal(sums.size());
      gaussians(hash(seed_of(stream::read, 0), number), normal.size(), normal.data());
      const float* variance = &w.noise[static_cast<std::size_t>(group * m_cols)];
      for (std::size_t c = 0; c < sums.size(); ++c)
        sums[c] += std::sqrt(squares * static_cast<double>(variance[c])) * static_cast<double>(normal[c]);
    }
  }

  // Largest magnitude the converter takes for this read.
  double converter_range(const plane& w, std::int64_t rows, std::int64_t group, double largest) const {
    double range = static_cast<double>(rows) * largest * w.unit;
    // Inputs spread evenly over their range have a root mean square of largest / sqrt(3).
    if (m_p.adc_ranging == "weights")
      range = std::min(
          range, std::max(m_p.adc_sigmas * largest * std::sqrt(w.strongest[static_cast<std::size_t>(group)] / 3), 1.0));
    return range * m_p.adc_range;
  }

  // Converters of `adc_bits` over [-range, range] or [0, range]. One finer than the integers counts integers.
  void convert(std::vector<double>& sums, double gain, double range, bool is_signed, std::uint64_t number, double place,
               double* outputs) const {
    const std::int64_t codes = std::int64_t{1} << m_p.adc_bits;
    converter by;
    by.gain = gain;
    by.place = place;
    by.low = static_cast<double>(is_signed ? -codes / 2 : 0);
    by.high = static_cast<double>(is_signed ? codes / 2 - 1 : codes - 1);
    by.step = std::max(1.0, by.high > 0 ? range / by.high : range);
    if (m_p.output_noise > 0) {
      std::vector<float> normal(sums.size());
      gaussians(hash(seed_of(stream::output, 0), number), normal.size(), normal.data());
      // At the converter's input, behind the gain.
      for (std::size_t c = 0; c < sums.size(); ++c)
        sums[c] = sums[c] * gain + m_p.output_noise * by.step * static_cast<double>(normal[c]);
      by.gain = 1;
    }
    if (!m_p.adc_ideal) return convert_columns(by, sums.data(), sums.size(), outputs);
    for (std::size_t c = 0; c < sums.size(); ++c) outputs[c] += place * (sums[c] * by.gain);
  }

  analog_crossbar_params m_p;
  std::int64_t m_rows, m_cols;
  std::uint64_t m_seed;
  number_format m_format;
  std::int64_t m_weight_offset = 0;
  std::vector<std::int64_t> m_column_sum;  // of the offset weights, kept digitally
  std::vector<std::int32_t> m_digits;      // offset weights, until the array has settled
  bool m_settled = false;
  mutable std::mutex m_guard;
  mutable double m_age = 0;
  mutable std::shared_ptr<const std::vector<plane>> m_image;  // at m_age
};

}  // namespace

std::unique_ptr<programmed_array> program_analog_array(const analog_crossbar_params& p, const std::int32_t* weights,
                                                       std::int64_t rows, std::int64_t cols, number_format format,
                                                       std::uint64_t seed) {
  return std::make_unique<analog_array>(p, weights, rows, cols, format, seed);
}

}  // namespace memwall::cim
