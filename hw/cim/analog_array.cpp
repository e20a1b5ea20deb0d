// SPDX-License-Identifier: Apache-2.0
// What an analog crossbar computes. Levels, sums and ranges are in units of the integer product, so that with
// ideal settings every step is exact arithmetic on small integers.
#include <algorithm>
#include <cmath>

#include "hw/cim/analog_crossbar.h"

namespace memwall::cim {
namespace {

constexpr double read_window_s = 250e-9;  // t_read of the 1/f noise law (AIHWKit's PCM model)
constexpr double read_noise_limit = 0.2;  // and its cap
constexpr double smallest_conductance = 1e-6;

// Streams of random numbers drawn from one seed.
enum class stream : std::uint64_t { program = 1, drift = 2, read = 3, output = 4 };

struct cell_plane {
  std::vector<float> level;  // G in units of the weight digit: exact integers without programming noise; rows x cols
  std::vector<float> drift;  // exponent of each cell; empty: no drift
};

// One slice of the weights: the cells of both polarities.
struct weight_plane {
  double unit = 1;         // level of a cell at g_max
  int shift = 0;           // place of the slice
  cell_plane plus, minus;  // minus is empty unless differential
};

double polynomial_sigma(const analog_crossbar_params& p, double g) {
  return std::max(0.0, p.program_noise + g * (p.program_noise_1 + g * p.program_noise_2));
}

class analog_array final : public programmed_array {
 public:
  analog_array(const analog_crossbar_params& p, const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
               number_format format, std::uint64_t seed)
      : m_p(p), m_rows(rows), m_cols(cols), m_seed(seed) {
    m_weight_offset = !p.differential && format.is_signed ? -format.low() : 0;
    m_column_sum.assign(static_cast<std::size_t>(cols), 0);
    const auto widths = weight_slices(p, format.bits, format.is_signed);
    int shift = 0;
    for (std::size_t k = 0; k < widths.size(); ++k) {
      const bool top = k + 1 == widths.size();
      m_planes.push_back(make_plane(weights, widths[k], shift, top, format.is_signed, k));
      shift += widths[k];
    }
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < cols; ++c)
        m_column_sum[static_cast<std::size_t>(c)] += weights[r * cols + c] + m_weight_offset;
  }

  std::int64_t rows() const override { return m_rows; }
  std::int64_t cols() const override { return m_cols; }

  void compute(const std::int32_t* inputs, number_format in, double* outputs, double age,
               std::uint64_t read) const override {
    const bool bipolar = m_p.signed_inputs == "bipolar" && in.is_signed;
    const std::int64_t input_offset = !bipolar && in.is_signed ? -in.low() : 0;
    const auto widths = input_slices(m_p, in.bits, in.is_signed);
    const std::int64_t parallel = m_p.rows_parallel > 0 ? m_p.rows_parallel : m_rows;
    std::fill(outputs, outputs + m_cols, 0.0);
    std::vector<double> digits(static_cast<std::size_t>(m_rows));
    std::uint64_t conversion = 0;
    std::vector<std::vector<float>> drifted_plus, drifted_minus;
    std::vector<double> gain;
    for (const weight_plane& w : m_planes) {
      drifted_plus.push_back(drifted(w.plus, age));
      drifted_minus.push_back(drifted(w.minus, age));
      gain.push_back(drift_gain(w, drifted_plus.back(), drifted_minus.back()));
    }
    int shift = 0;
    std::int64_t input_sum = 0;
    for (std::int64_t r = 0; r < m_rows; ++r) input_sum += inputs[r] + input_offset;
    for (std::size_t s = 0; s < widths.size(); ++s) {
      const bool top = s + 1 == widths.size();
      for (std::int64_t r = 0; r < m_rows; ++r)
        digits[static_cast<std::size_t>(r)] =
            static_cast<double>(digit(inputs[r] + input_offset, shift, widths[s], top, bipolar));
      // Sign and magnitude: -2^(b-1) needs one level more than +2^(b-1) - 1.
      const double largest = bipolar && top ? std::ldexp(1.0, widths[s]) : std::ldexp(1.0, widths[s]) - 1;
      for (std::int64_t begin = 0; begin < m_rows; begin += parallel) {
        const std::int64_t end = std::min(begin + parallel, m_rows);
        for (std::size_t k = 0; k < m_planes.size(); ++k) {
          const weight_plane& w = m_planes[k];
          std::vector<double> sums = column_sums(w, drifted_plus[k], drifted_minus[k], digits, begin, end, largest, age,
                                                 hash(read, conversion));
          const double place = std::ldexp(1.0, shift + w.shift);
          const double range = converter_range(w, begin, end, largest);
          for (std::int64_t c = 0; c < m_cols; ++c) {
            const double v = convert(sums[static_cast<std::size_t>(c)] * gain[k], range, bipolar || m_p.differential,
                                     hash(hash(read, conversion), static_cast<std::uint64_t>(c)));
            outputs[c] += place * v;
          }
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

 private:
  // Digit of an unsigned number, or of a magnitude with the number's sign; the top digit takes all that is
  // left.
  static std::int64_t digit(std::int64_t value, int shift, int width, bool top, bool signed_digits) {
    const std::int64_t magnitude = signed_digits && value < 0 ? -value : value;
    const std::int64_t d = top ? magnitude >> shift : (magnitude >> shift) & ((std::int64_t{1} << width) - 1);
    return signed_digits && value < 0 ? -d : d;
  }

  weight_plane make_plane(const std::int32_t* weights, int width, int shift, bool top, bool is_signed,
                          std::uint64_t k) const {
    weight_plane out;
    out.shift = shift;
    out.unit = m_p.differential && top && is_signed ? std::ldexp(1.0, width) : std::ldexp(1.0, width) - 1;
    const std::size_t count = static_cast<std::size_t>(m_rows * m_cols);
    out.plus.level.resize(count);
    if (m_p.differential) out.minus.level.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t d = digit(weights[i] + m_weight_offset, shift, width, top, m_p.differential);
      out.plus.level[i] = programmed(static_cast<double>(std::max<std::int64_t>(d, 0)), out.unit, 2 * k, i);
      if (m_p.differential)
        out.minus.level[i] = programmed(static_cast<double>(std::max<std::int64_t>(-d, 0)), out.unit, 2 * k + 1, i);
    }
    give_drift(out.plus, out.unit, 2 * k);
    give_drift(out.minus, out.unit, 2 * k + 1);
    return out;
  }

  std::uint64_t seed_of(stream s, std::uint64_t plane) const {
    return hash(hash(m_seed, static_cast<std::uint64_t>(s)), plane);
  }

  float programmed(double level, double unit, std::uint64_t plane, std::uint64_t i) const {
    const double sigma = polynomial_sigma(m_p, level / unit);
    double g = level;
    if (sigma > 0) g += unit * sigma * gaussian(seed_of(stream::program, plane), i);
    return static_cast<float>(m_p.clip_conductance ? std::max(g, 0.0) : g);
  }

  void give_drift(cell_plane& cells, double unit, std::uint64_t plane) const {
    const bool drifts = m_p.drift != 0 || m_p.drift_slope != 0 || m_p.drift_min > 0 || m_p.drift_spread > 0;
    if (!drifts || cells.level.empty()) return;
    cells.drift.resize(cells.level.size());
    for (std::size_t i = 0; i < cells.drift.size(); ++i) {
      const double g = std::max<double>(std::fabs(cells.level[i]) / unit, smallest_conductance);
      double nu = std::clamp(m_p.drift + m_p.drift_slope * portable_log(g), m_p.drift_min, m_p.drift_max);
      if (m_p.drift_spread > 0) nu += m_p.drift_spread * gaussian(seed_of(stream::drift, plane), i);
      cells.drift[i] = static_cast<float>(nu);
    }
  }

  // Conductances after `age` seconds, empty when nothing has drifted.
  std::vector<float> drifted(const cell_plane& cells, double age) const {
    if (cells.drift.empty() || age <= m_p.drift_start.value) return {};
    const double log_time = portable_log(age / m_p.drift_start.value);
    std::vector<float> out(cells.level.size());
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>(cells.level[i] * portable_exp(-cells.drift[i] * log_time));
    return out;
  }

  // What a reference read of the whole array would tell: total conductance when programmed / now.
  double drift_gain(const weight_plane& w, const std::vector<float>& plus, const std::vector<float>& minus) const {
    if (!m_p.drift_compensation || plus.empty()) return 1;
    double before = 0, now = 0;
    for (std::size_t i = 0; i < plus.size(); ++i) before += w.plus.level[i], now += plus[i];
    for (std::size_t i = 0; i < minus.size(); ++i) before += w.minus.level[i], now += minus[i];
    return now > 0 ? before / now : 1;
  }

  double read_sigma(double g, double age) const {
    const double q = std::min(
        m_p.read_noise * portable_exp(-m_p.read_noise_exponent * portable_log(std::max(g, smallest_conductance))),
        read_noise_limit);
    const double t = std::max(age, m_p.drift_start.value);
    return g * q * std::sqrt(portable_log((t + read_window_s) / (2 * read_window_s)));
  }

  // Adds x g of one polarity to the sums, and the variance of its read noise.
  void accumulate(const std::vector<float>& cells, double sign, double unit, const std::vector<double>& digits,
                  std::int64_t begin, std::int64_t end, double largest, double age, std::vector<double>& sums,
                  std::vector<double>& variance) const {
    for (std::int64_t r = begin; r < end; ++r) {
      const double x = digits[static_cast<std::size_t>(r)];
      if (x == 0) continue;
      const float* g = &cells[static_cast<std::size_t>(r * m_cols)];
      const double factor = sign * x;
      for (std::int64_t c = 0; c < m_cols; ++c) sums[static_cast<std::size_t>(c)] += factor * g[c];
      if (m_p.read_noise > 0)
        for (std::int64_t c = 0; c < m_cols; ++c) {
          const double sigma = factor * unit * read_sigma(std::fabs(g[c]) / unit, age);
          variance[static_cast<std::size_t>(c)] += sigma * sigma;
        }
    }
    if (m_p.ir_drop > 0) drop(cells, sign, unit, digits, begin, end, largest, sums);
  }

  // First-order voltage drop along the column wire: the converter sits below row `begin`; the current of a
  // cell passes every segment between it and the converter, and each segment lowers the voltage of the cells
  // beyond it.
  void drop(const std::vector<float>& cells, double sign, double unit, const std::vector<double>& digits,
            std::int64_t begin, std::int64_t end, double largest, std::vector<double>& sums) const {
    for (std::int64_t c = 0; c < m_cols; ++c) {
      double beyond = 0;  // current (in g_max) through the next segment
      const auto current = [&](std::int64_t r) {
        return digits[static_cast<std::size_t>(r)] / (largest * unit) * cells[static_cast<std::size_t>(r * m_cols + c)];
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

  std::vector<double> column_sums(const weight_plane& w, const std::vector<float>& plus,
                                  const std::vector<float>& minus, const std::vector<double>& digits,
                                  std::int64_t begin, std::int64_t end, double largest, double age,
                                  std::uint64_t noise) const {
    std::vector<double> sums(static_cast<std::size_t>(m_cols), 0), variance(sums.size(), 0);
    accumulate(plus.empty() ? w.plus.level : plus, 1, w.unit, digits, begin, end, largest, age, sums, variance);
    if (m_p.differential)
      accumulate(minus.empty() ? w.minus.level : minus, -1, w.unit, digits, begin, end, largest, age, sums, variance);
    if (m_p.read_noise > 0)
      for (std::size_t c = 0; c < sums.size(); ++c)
        sums[c] += std::sqrt(variance[c]) * gaussian(hash(seed_of(stream::read, 0), noise), c);
    return sums;
  }

  // Largest magnitude the converter takes for this read.
  double converter_range(const weight_plane& w, std::int64_t begin, std::int64_t end, double largest) const {
    double range = static_cast<double>(end - begin) * largest * w.unit;
    if (m_p.adc_ranging == "weights") {
      // Inputs spread evenly over their range have a root mean square of largest / sqrt(3).
      double strongest = 0;
      for (std::int64_t c = 0; c < m_cols; ++c) {
        double power = 0;
        for (std::int64_t r = begin; r < end; ++r) {
          const std::size_t i = static_cast<std::size_t>(r * m_cols + c);
          const double g = w.plus.level[i] - (m_p.differential ? w.minus.level[i] : 0);
          power += g * g;
        }
        strongest = std::max(strongest, power);
      }
      range = std::min(range, std::max(m_p.adc_sigmas * largest * std::sqrt(strongest / 3), 1.0));
    }
    return range * m_p.adc_range;
  }

  // A converter of `adc_bits` over [-range, range] or [0, range]. One finer than the integers counts
  // integers.
  double convert(double v, double range, bool is_signed, std::uint64_t noise) const {
    if (m_p.adc_ideal && m_p.output_noise == 0) return v;
    const std::int64_t codes = std::int64_t{1} << m_p.adc_bits;
    const std::int64_t low = is_signed ? -codes / 2 : 0, high = is_signed ? codes / 2 - 1 : codes - 1;
    const double step = std::max(1.0, high > 0 ? range / static_cast<double>(high) : range);
    if (m_p.output_noise > 0) v += m_p.output_noise * step * gaussian(seed_of(stream::output, 0), noise);
    if (m_p.adc_ideal) return v;
    const double code = std::clamp(std::floor(v / step + 0.5), static_cast<double>(low), static_cast<double>(high));
    return code * step;
  }

  analog_crossbar_params m_p;
  std::int64_t m_rows, m_cols;
  std::uint64_t m_seed;
  std::int64_t m_weight_offset = 0;
  std::vector<std::int64_t> m_column_sum;  // of the offset weights, kept digitally
  std::vector<weight_plane> m_planes;
};

}  // namespace

std::unique_ptr<programmed_array> program_analog_array(const analog_crossbar_params& p, const std::int32_t* weights,
                                                       std::int64_t rows, std::int64_t cols, number_format format,
                                                       std::uint64_t seed) {
  return std::make_unique<analog_array>(p, weights, rows, cols, format, seed);
}

}  // namespace memwall::cim
