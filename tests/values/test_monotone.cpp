// SPDX-License-Identifier: Apache-2.0
// More noise, fewer converter bits and greater age do not make the shipped model speak better, within what seeds
// scatter.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "models/weights/tokenizer.h"
#include "platforms/values/inference.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

constexpr int seeds = 4;
constexpr double student = 3.182;  // t at 97.5 %, three degrees of freedom

struct likelihood {
  double mean = 0, half_interval = 0;  // nats a token, 95 %
};

class shipped_model : public testing::Test {
 protected:
  void SetUp() override {
    m_shape = load_model("tiny-llama");
    const std::string folder = m_shape.file.substr(0, m_shape.file.rfind('/'));
    m_weights = open_weights(m_shape, folder);
    std::ifstream in(folder + "/held-out.txt", std::ios::binary);
    m_text =
        tokenizer::from_file(folder + "/tokenizer.json").encode(std::string(std::istreambuf_iterator<char>(in), {}));
    m_text.resize(128);
  }
  likelihood at(const std::vector<std::string>& sets, double age = 0) const {
    const auto p = load_platform("cim_analog", sets);
    inference_request r;
    r.shape = m_shape;
    r.arithmetic = read_numerics(m_shape);
    r.weights = m_weights;
    r.platform = &p;
    r.settings.types = dtypes::parse("int8/fp16/fp16");
    r.settings.age = age;
    r.settings.threads = 2;
    r.text = m_text;
    r.context = 128;
    r.compare = false;
    std::vector<double> found;
    likelihood out;
    for (int s = 0; s < seeds; ++s) {
      r.settings.seed = static_cast<std::uint64_t>(s) + 1;
      const inference i = infer(r);
      found.push_back(i.nll / static_cast<double>(i.scored));
      out.mean += found.back() / seeds;
    }
    double squares = 0;
    for (const double v : found) squares += (v - out.mean) * (v - out.mean);
    out.half_interval = student * std::sqrt(squares / (seeds - 1) / seeds);
    return out;
  }
  /// Each is at least as bad as the one before, within both intervals; the last is worse than the first beyond them.
  static void expect_rising(const std::vector<likelihood>& points) {
    for (std::size_t i = 1; i < points.size(); ++i)
      EXPECT_GT(points[i].mean + points[i].half_interval, points[i - 1].mean - points[i - 1].half_interval) << i;
    EXPECT_GT(points.back().mean - points.back().half_interval, points.front().mean + points.front().half_interval);
  }
  static std::string number(double v) { return std::to_string(v); }

  model m_shape;
  std::shared_ptr<const weight_source> m_weights;
  std::vector<std::int32_t> m_text;
};

}  // namespace

TEST_F(shipped_model, more_noise_of_weights_is_not_better) {
  std::vector<likelihood> points;
  for (const double sigma : {0.0, 0.01, 0.02, 0.05, 0.1})
    points.push_back(at({"cim.macro={base: hermes}", "cim.macro.program_noise=" + number(sigma),
                         "cim.macro.program_noise_1=0", "cim.macro.program_noise_2=0"}));
  expect_rising(points);
}

TEST_F(shipped_model, fewer_converter_bits_are_not_better) {
  std::vector<likelihood> points;
  for (const int bits : {9, 8, 7, 6, 5})
    points.push_back(at({"cim.macro={base: hermes}", "cim.macro.adc_bits=" + std::to_string(bits)}));
  expect_rising(points);
}

TEST_F(shipped_model, age_is_not_better) {
  std::vector<likelihood> points;
  for (const double age : {20.0, 3600.0, 86400.0, 2.6e6, 3.15576e7}) points.push_back(at({}, age));
  expect_rising(points);
}
