// SPDX-License-Identifier: Apache-2.0
// A guess at an objective between the points that were simulated: Gaussian-process regression with a
// Matern-5/2 kernel and a length scale an axis, chosen by the marginal likelihood (Rasmussen and Williams,
// Gaussian Processes for Machine Learning, MIT Press 2006, sections 2.2, 4.2 and 5.4.1).
#pragma once
#include <cstddef>
#include <vector>

namespace memwall::sweep {

/// Coordinates of points: rank on each axis from 0 to 1, NaN where the axis is left out; on nominal axes any
/// two different coordinates lie equally far apart.
struct space {
  std::vector<bool> nominal;
  double distance(std::size_t dimension, double a, double b) const;
};

class surrogate {
 public:
  explicit surrogate(space s) : m_space(std::move(s)) {}

  /// Learns `values` at `points`. Length scales are chosen anew only when `choose_scales`.
  void fit(std::vector<std::vector<double>> points, const std::vector<double>& values, bool choose_scales);

  struct guess {
    double mean = 0, deviation = 0;
  };
  std::vector<guess> at(const std::vector<std::vector<double>>& points) const;

 private:
  double kernel(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& scales) const;
  /// Cholesky factor (rows of the lower triangle) and the log marginal likelihood; false when not positive
  /// definite.
  bool factor(const std::vector<std::vector<double>>& points, const std::vector<double>& y,
              const std::vector<double>& scales, std::vector<std::vector<double>>& rows, double& likelihood,
              double& variance) const;
  void choose(const std::vector<std::vector<double>>& points, const std::vector<double>& y);

  space m_space;
  std::vector<double> m_scales, m_weights;
  std::vector<std::vector<double>> m_points, m_rows;
  double m_mean = 0, m_spread = 1, m_variance = 1;
};

}  // namespace memwall::sweep
