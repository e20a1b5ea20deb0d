// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/digest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/support/temp_dir.h"
#include "tools/sweep/inputs.h"

namespace {
using namespace memwall::sweep;

// FIPS 180-4 example messages (NIST, "Secure Hashing" examples).
TEST(sweep_digest, sha256_of_the_standards_examples) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  sha256 million;
  for (int i = 0; i < 10000; ++i) million.add(std::string(100, 'a'));
  EXPECT_EQ(million.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(sweep_digest, fields_do_not_run_into_each_other) {
  EXPECT_NE(sha256().field("ab").field("c").hex(), sha256().field("a").field("bc").hex());
}

TEST(sweep_digest, draws_are_uniform_and_differ) {
  std::set<std::uint64_t> seen;
  int low = 0;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    seen.insert(mix(7, 1, i));
    const double u = mix_uniform(7, 1, i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    low += u < 0.5;
  }
  EXPECT_EQ(seen.size(), 10000U);
  // Binomial(10000, 1/2): six standard deviations are 300.
  EXPECT_NEAR(low, 5000, 300);
}

// A file counts with its contents; a platform with those of its bases, a model's `base` is no such thing. A name that
// stands for no platform has nothing to count.
TEST(sweep_digest, inputs_count_with_their_contents) {
  const memwall::test::temp_dir dir;
  const auto write = [&](const char* name, const std::string& text) { std::ofstream(dir / name) << text; };
  write("p.yaml", "base: q.yaml\n");
  write("q.yaml", "a: 1\n");
  const std::string p = dir / "p.yaml", platform = input_digest("platform", p), model = input_digest("model", p);
  EXPECT_EQ(model, sha256().field(file_digest(p)).hex());
  EXPECT_EQ(platform, sha256().field(file_digest(p)).field(file_digest(dir / "q.yaml")).hex());
  write("q.yaml", "a: 2\n");
  EXPECT_NE(input_digest("platform", p), platform);
  EXPECT_EQ(input_digest("model", p), model);
  EXPECT_EQ(input_digest("platform", "no_such_platform"), "");
  EXPECT_EQ(input_digest("trace", dir / "absent.jsonl"), "");
  EXPECT_NE(input_digest("model", "no_such_model"), "") << "any shipped model may be meant";
}

}  // namespace
