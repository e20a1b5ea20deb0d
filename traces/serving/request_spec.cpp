// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/request_spec.h"

#include <algorithm>
#include <boost/random/exponential_distribution.hpp>
#include <boost/random/gamma_distribution.hpp>
#include <boost/random/lognormal_distribution.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <memory>

#include "hw/common/params.h"
#include "traces/layout.h"
#include "traces/serving/request_file.h"

namespace memwall::serving {
namespace {

// Boost's engines and distributions compute the same numbers with every compiler and library; std's do not.
using engine = boost::random::mt19937_64;

constexpr std::int64_t most_tokens = std::int64_t{1} << 24;
constexpr std::int64_t most_requests = 10'000'000;
constexpr double most_seconds = 1e6;
const char* const words[] = {"rate",   "n",      "input", "output", "cv",  "users",
                             "prefix", "warmup", "turns", "think",  "seed"};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == at)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

/// Draws the lengths of one request.
using lengths = std::function<std::pair<std::int64_t, std::int64_t>(engine&)>;
using length = std::function<std::int64_t(engine&)>;

class reader {
 public:
  reader(const std::string& text, std::uint64_t seed) : m_text(text), m_seed(seed) {}

  request_list read() {
    const std::size_t colon = m_text.find(':');
    m_process = m_text.substr(0, colon);
    read_words(colon == std::string::npos ? "" : m_text.substr(colon + 1));
    const std::int64_t n = integer("n", 1000, 1, most_requests);
    const std::int64_t warm_up = integer("warmup", 0, 0, n - 1);
    m_seed = static_cast<std::uint64_t>(integer("seed", static_cast<std::int64_t>(m_seed), 0, INT64_MAX));
    const std::int64_t turns = integer("turns", 1, 1, 1000);
    const double think = number("think", 0, 0, most_seconds);
    const lengths draw = read_lengths();
    read_prefix();
    const std::function<double(engine&)> gap = read_arrivals();
    m_problems.check();

    request_list out;
    out.origin = m_text;
    out.warm_up = warm_up;
    engine random(m_seed);
    // Arrivals, lengths and prefixes have engines of their own: changing one leaves the others as they were.
    engine sizes(trace::mix(m_seed, 1)), groups(trace::mix(m_seed, 2));
    double now = 0;
    std::vector<std::int64_t> last_of_user(static_cast<std::size_t>(m_users), -1);
    for (std::int64_t i = 0; i < n; ++i) {
      request r;
      r.id = std::to_string(i);
      std::tie(r.input, r.output) = draw(sizes);
      const std::int64_t turn = m_users > 0 ? (i / m_users) % turns : i % turns;
      if (m_users > 0) {
        std::int64_t& before = last_of_user[static_cast<std::size_t>(i % m_users)];
        r.after = before;
        before = i;
      } else if (turn > 0) {
        r.after = i - 1;
      } else {
        if (i > 0) now += gap(random);
        r.arrival = static_cast<ps_t>(std::llround(now * 1e12));
      }
      if (r.after >= 0) r.pause = static_cast<ps_t>(std::llround(think * 1e12));
      add_content(r, i, turn, out.requests, groups);
      out.requests.push_back(std::move(r));
    }
    return out;
  }

 private:
  void problem(const std::string& key, const std::string& message, const std::string& expected,
               const std::string& nearest = {}) {
    m_problems.add({"--requests", key, message, expected, nearest});
  }

  void read_words(const std::string& rest) {
    if (rest.empty()) return;
    for (const std::string& part : split(rest, ',')) {
      const std::size_t equal = part.find('=');
      const std::string key = part.substr(0, equal);
      const std::vector<std::string> known(std::begin(words), std::end(words));
      if (equal == std::string::npos || std::find(known.begin(), known.end(), key) == known.end())
        problem(key, equal == std::string::npos ? "'" + part + "' has no value" : "unknown word",
                "rate, n, input, output, cv (gamma), users (closed), prefix, warmup, turns, think or seed, each =VALUE",
                nearest_name(key, known));
      else if (!m_words.emplace(key, part.substr(equal + 1)).second)
        problem(key, "given twice", "each word once");
    }
  }
  const std::string* find(const std::string& key) const {
    const auto found = m_words.find(key);
    return found == m_words.end() ? nullptr : &found->second;
  }
  std::int64_t integer(const std::string& key, std::int64_t otherwise, std::int64_t low, std::int64_t high) {
    const std::string* text = find(key);
    std::int64_t v = otherwise;
    if (text != nullptr && !detail::read_integer(*text, low, high, v))
      problem(key, "got '" + *text + "'", "an integer from " + std::to_string(low) + " to " + std::to_string(high));
    return v;
  }
  double number(const std::string& key, double otherwise, double low, double high) {
    const std::string* text = find(key);
    double v = otherwise;
    if (text != nullptr && (!detail::read_number(*text, v) || !(v >= low) || !(v <= high))) {
      problem(key, "got '" + *text + "'",
              "a number from " + detail::param_type<double>::write(low).dump() + " to " +
                  detail::param_type<double>::write(high).dump());
      v = otherwise;
    }
    return v;
  }

  length read_length(const std::string& key, std::int64_t otherwise) {
    const std::string* text = find(key);
    if (text == nullptr) return [otherwise](engine&) { return otherwise; };
    const auto parts = split(*text, ':');
    std::int64_t low = 0, high = 0;
    if (parts.size() == 1 && detail::read_integer(*text, 1, most_tokens, low)) return [low](engine&) { return low; };
    if (parts[0] == "uniform" && parts.size() == 2) {
      const auto ends = split(parts[1], '-');
      if (ends.size() == 2 && detail::read_integer(ends[0], 1, most_tokens, low) &&
          detail::read_integer(ends[1], low, most_tokens, high))
        return [low, high](engine& e) { return boost::random::uniform_int_distribution<std::int64_t>(low, high)(e); };
    }
    if (parts[0] == "lognormal" && parts.size() == 3) {
      double mean = 0, sigma = 0;
      if (detail::read_number(parts[1], mean) && detail::read_number(parts[2], sigma) && mean >= 1 &&
          mean <= static_cast<double>(most_tokens) && sigma >= 0 && sigma <= 4) {
        // The distribution's own mean is exp(mu + sigma^2 / 2).
        const double mu = std::log(mean) - sigma * sigma / 2;
        return [mu, sigma](engine& e) {
          const double v = sigma > 0 ? boost::random::lognormal_distribution<double>(mu, sigma)(e) : std::exp(mu);
          return std::clamp<std::int64_t>(std::llround(v), 1, most_tokens);
        };
      }
    }
    problem(key, "got '" + *text + "'",
            "a number of tokens, uniform:FROM-TO, lognormal:MEAN:SIGMA, or empirical:FILE for input and output");
    return [](engine&) { return std::int64_t{1}; };
  }

  /// `empirical:FILE` draws the input and the output of one request of that file together, since they hang together.
  lengths read_lengths() {
    const std::string* input = find("input");
    const std::string word = "empirical:";
    if (input == nullptr || input->rfind(word, 0) != 0) {
      const length in = read_length("input", 512), out = read_length("output", 128);
      return [in, out](engine& e) {
        const std::int64_t first = in(e);
        return std::pair(first, out(e));
      };
    }
    if (find("output") != nullptr)
      problem("output", "given together with input=empirical:FILE", "one of the two: the file has both lengths");
    auto pool = std::make_shared<std::vector<std::pair<std::int64_t, std::int64_t>>>();
    for (const auto& r : read_requests(input->substr(word.size())).requests) pool->emplace_back(r.input, r.output);
    return [pool](engine& e) {
      return (*pool)[boost::random::uniform_int_distribution<std::size_t>(0, pool->size() - 1)(e)];
    };
  }

  void read_prefix() {
    const std::string* text = find("prefix");
    if (text == nullptr) return;
    const auto parts = split(*text, ':');
    if (parts.size() != 2 || !detail::read_integer(parts[0], 1, most_tokens, m_prefix) ||
        !detail::read_integer(parts[1], 1, most_requests, m_groups))
      problem("prefix", "got '" + *text + "'", "LENGTH:GROUPS, both whole numbers from 1");
  }

  /// Seconds to the next arrival.
  std::function<double(engine&)> read_arrivals() {
    const auto only = [&](const char* key, const char* process) {
      if (find(key) != nullptr && m_process != process)
        problem(key, std::string("'") + key + "' is a word of " + process + " alone", "a specification without it");
    };
    only("cv", "gamma");
    only("users", "closed");
    if (m_process == "closed") {
      if (find("users") == nullptr) problem("users", "is missing", "closed:users=N");
      if (find("rate") != nullptr) problem("rate", "a closed loop has users, no rate", "users=N, think=SECONDS");
      m_users = integer("users", 1, 1, most_requests);
      return [](engine&) { return 0.0; };
    }
    if (find("rate") == nullptr) problem("rate", "is missing", m_process + ":rate=REQUESTS A SECOND");
    const double rate = number("rate", 1, 1e-6, 1e9);
    if (m_process == "constant") return [rate](engine&) { return 1 / rate; };
    if (m_process == "poisson")
      return [rate](engine& e) { return boost::random::exponential_distribution<double>(rate)(e); };
    // Coefficient of variation of the gaps: 1 is Poisson, more is bursts.
    const double cv = number("cv", 1, 0.01, 100), shape = 1 / (cv * cv);
    return [rate, shape](engine& e) { return boost::random::gamma_distribution<double>(shape, 1 / (rate * shape))(e); };
  }

  void add_content(request& r, std::int64_t i, std::int64_t turn, const std::vector<request>& before, engine& groups) {
    if (turn > 0) {
      // A turn's prompt is all that was said, then new words.
      const request& last = before[static_cast<std::size_t>(r.after)];
      r.content = last.content;
      r.input += last.input + last.output;
      return;
    }
    const std::int64_t shared = std::min(m_prefix, r.input);
    if (shared > 0) {
      const auto group = boost::random::uniform_int_distribution<std::int64_t>(0, m_groups - 1)(groups);
      r.content.push_back({trace::mix(static_cast<std::uint64_t>(group), 0x9a5e), shared});
    }
    r.content.push_back({trace::mix(static_cast<std::uint64_t>(i), 0x0e71), r.input - shared});
  }

  const std::string m_text;
  std::uint64_t m_seed;
  std::string m_process;
  std::map<std::string, std::string> m_words;
  problem_list m_problems;
  std::int64_t m_prefix = 0, m_groups = 1, m_users = 0;
};

}  // namespace

std::vector<std::string> arrival_processes() {
  return {"closed", "constant", "gamma", "poisson"};
}

bool is_spec(const std::string& text) {
  const std::string process = text.substr(0, text.find(':'));
  const auto known = arrival_processes();
  return std::find(known.begin(), known.end(), process) != known.end();
}

request_list from_spec(const std::string& text, std::uint64_t seed) {
  return reader(text, seed).read();
}

}  // namespace memwall::serving
