// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/surrogate.h"

#include <algorithm>
#include <cmath>

namespace memwall::sweep {
namespace {

constexpr double nugget = 1e-6;  // simulations do not scatter; this only keeps the factor positive definite
constexpr std::size_t enough_to_scale = 160;  // points that choose the length scales

/// Solves L x = b in place.
void forward(const std::vector<std::vector<double>>& rows, std::vector<double>& x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    double v = x[i];
    for (std::size_t j = 0; j < i; ++j) v -= rows[i][j] * x[j];
    x[i] = v / rows[i][i];
  }
}

/// Solves L^T x = b in place.
void backward(const std::vector<std::vector<double>>& rows, std::vector<double>& x) {
  for (std::size_t i = x.size(); i-- > 0;) {
    x[i] /= rows[i][i];
    for (std::size_t j = 0; j < i; ++j) x[j] -= rows[i][j] * x[i];
  }
}

}  // namespace

double space::distance(std::size_t dimension, double a, double b) const {
  const bool out_a = std::isnan(a), out_b = std::isnan(b);
  if (out_a || out_b) return out_a == out_b ? 0 : 1;
  if (nominal[dimension]) return a == b ? 0 : 1;
  return std::fabs(a - b);
}

double surrogate::kernel(const std::vector<double>& a, const std::vector<double>& b,
                         const std::vector<double>& scales) const {
  double r2 = 0;
  for (std::size_t d = 0; d < a.size(); ++d) {
    const double x = m_space.distance(d, a[d], b[d]) / scales[d];
    r2 += x * x;
  }
  const double r = std::sqrt(5 * r2);
  return (1 + r + r * r / 3) * std::exp(-r);
}

bool surrogate::factor(const std::vector<std::vector<double>>& points, const std::vector<double>& y,
                       const std::vector<double>& scales, std::vector<std::vector<double>>& rows, double& likelihood,
                       double& variance) const {
  const std::size_t n = points.size();
  rows.assign(n, {});
  double log_determinant = 0;
  for (std::size_t i = 0; i < n; ++i) {
    rows[i].resize(i + 1);
    for (std::size_t j = 0; j <= i; ++j) {
      double v = i == j ? 1 + nugget : kernel(points[i], points[j], scales);
      const double *a = rows[i].data(), *b = rows[j].data();
      for (std::size_t k = 0; k < j; ++k) v -= a[k] * b[k];
      if (i == j) {
        if (v <= 0) return false;
        rows[i][i] = std::sqrt(v);
        log_determinant += std::log(v);
      } else {
        rows[i][j] = v / rows[j][j];
      }
    }
  }
  std::vector<double> z = y;
  forward(rows, z);
  double fit = 0;
  for (const double v : z) fit += v * v;
  variance = std::max(1e-12, fit / static_cast<double>(n));  // its maximum-likelihood value, given the scales
  likelihood = -0.5 * (static_cast<double>(n) * std::log(variance) + log_determinant);
  return true;
}

void surrogate::choose(const std::vector<std::vector<double>>& points, const std::vector<double>& y) {
  std::vector<std::vector<double>> some;
  std::vector<double> some_y;
  const std::size_t n = std::min(points.size(), enough_to_scale);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = i * points.size() / n;
    some.push_back(points[at]);
    some_y.push_back(y[at]);
  }
  std::vector<std::vector<double>> rows;
  double likelihood = 0, variance = 0, best = -INFINITY;
  if (factor(some, some_y, m_scales, rows, likelihood, variance)) best = likelihood;
  for (int round = 0; round < 2; ++round)
    for (std::size_t d = 0; d < m_scales.size(); ++d) {
      double chosen = m_scales[d];
      for (const double s : {0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 20.0}) {
        m_scales[d] = s;
        if (factor(some, some_y, m_scales, rows, likelihood, variance) && likelihood > best)
          best = likelihood, chosen = s;
      }
      m_scales[d] = chosen;
    }
}

void surrogate::fit(std::vector<std::vector<double>> points, const std::vector<double>& values, bool choose_scales) {
  m_points = std::move(points);
  m_mean = 0;
  for (const double v : values) m_mean += v / static_cast<double>(values.size());
  double sum = 0;
  for (const double v : values) sum += (v - m_mean) * (v - m_mean);
  m_spread = std::sqrt(sum / static_cast<double>(values.size()));
  if (m_spread <= 0) m_spread = 1;
  std::vector<double> y;
  for (const double v : values) y.push_back((v - m_mean) / m_spread);
  if (m_scales.empty()) m_scales.assign(m_space.nominal.size(), 1.2);
  if (choose_scales) choose(m_points, y);
  double likelihood = 0;
  while (!factor(m_points, y, m_scales, m_rows, likelihood, m_variance))
    for (double& s : m_scales) s *= 0.7;  // shorter scales are better conditioned
  m_weights = y;
  forward(m_rows, m_weights);
  backward(m_rows, m_weights);
}

std::vector<surrogate::guess> surrogate::at(const std::vector<std::vector<double>>& points) const {
  // Several points at once: the triangular solve is nearly all of the work, and side by side it runs in
  // vector registers.
  constexpr std::size_t lanes = 16;
  const std::size_t n = m_points.size();
  std::vector<double> k(n * lanes);
  std::vector<guess> out(points.size());
  for (std::size_t begin = 0; begin < points.size(); begin += lanes) {
    const std::size_t count = std::min(lanes, points.size() - begin);
    double mean[lanes] = {}, known[lanes] = {};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t l = 0; l < count; ++l) {
        const double v = kernel(points[begin + l], m_points[i], m_scales);
        k[i * lanes + l] = v;
        mean[l] += v * m_weights[i];
      }
    for (std::size_t i = 0; i < n; ++i) {
      double* const row = &k[i * lanes];
      for (std::size_t j = 0; j < i; ++j) {
        const double factor = m_rows[i][j];
        const double* const before = &k[j * lanes];
        for (std::size_t l = 0; l < lanes; ++l) row[l] -= factor * before[l];
      }
      const double scale = 1 / m_rows[i][i];
      for (std::size_t l = 0; l < lanes; ++l) {
        row[l] *= scale;
        known[l] += row[l] * row[l];
      }
    }
    for (std::size_t l = 0; l < count; ++l)
      out[begin + l] = {m_mean + m_spread * mean[l],
                        m_spread * std::sqrt(m_variance * std::max(0.0, 1 + nugget - known[l]))};
  }
  return out;
}

}  // namespace memwall::sweep
