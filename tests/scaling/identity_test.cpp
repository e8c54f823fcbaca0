// SPDX-License-Identifier: Apache-2.0
// Case identity: known answers, and that it depends on nothing but the parameters.
#include "scaling/identity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

// The published known answer of the id scheme; a change here would orphan every stored result.
const std::vector<std::pair<std::string, Value>> kRing{{"batch", std::int64_t{2}},
                                                       {"causal", true},
                                                       {"dtype", std::string("bf16")},
                                                       {"gpus_per_rank", std::int64_t{1}},
                                                       {"head_dim", std::int64_t{128}},
                                                       {"heads", std::int64_t{32}},
                                                       {"kernel", std::string("ring_attention")},
                                                       {"pass", std::string("fwd")},
                                                       {"ranks", std::int64_t{4}},
                                                       {"seq", std::int64_t{32768}},
                                                       {"variant", std::string("nccl_sendrecv")}};
const char* const kRingJson =
    R"({"batch":2,"causal":true,"dtype":"bf16","gpus_per_rank":1,"head_dim":128,"heads":32,)"
    R"("kernel":"ring_attention","pass":"fwd","ranks":4,"seq":32768,"variant":"nccl_sendrecv"})";

TEST(Identity, GivesTheKnownAnswer) {
  const Params params(kRing.begin(), kRing.end());
  EXPECT_EQ(canonical_json(params), kRingJson);
  EXPECT_EQ(sha256_hex(kRingJson), "78dd1a233a6c18232301cf50f26e8086ced3463e451cf0f9b121329d75642425");
  EXPECT_EQ(case_id(params), "78dd1a233a6c18232301cf50f26e8086");
  EXPECT_EQ(short_id(case_id(params)), "78dd1a233a6c");
}

TEST(Identity, DoesNotDependOnTheOrderOfInsertion) {
  auto entries = kRing;
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::shuffle(entries.begin(), entries.end(), random);
    Params params;
    for (const auto& [key, value] : entries) params[key] = value;
    ASSERT_EQ(case_id(params), "78dd1a233a6c18232301cf50f26e8086");
  }
}

TEST(Identity, ChangesWithEveryValueAndType) {
  const Params base(kRing.begin(), kRing.end());
  for (const auto& [key, value] : kRing) {
    Params changed = base;
    changed.erase(key);
    EXPECT_NE(case_id(changed), case_id(base)) << key;
  }
  EXPECT_NE(case_id({{"a", std::int64_t{1}}}), case_id({{"a", std::string("1")}}));
  EXPECT_NE(case_id({{"a", true}}), case_id({{"a", std::string("true")}}));
}

// FIPS 180-4 examples and the NIST CAVP short message of length 0.
TEST(Sha256, GivesTheNistVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");  // two blocks after padding
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(CanonicalJson, EscapesAsRfc8785) {
  EXPECT_EQ(canonical_json({}), "{}");
  EXPECT_EQ(canonical_json({{"n", std::int64_t{-3}}, {"f", false}}), R"({"f":false,"n":-3})");
  EXPECT_EQ(canonical_json({{"a\"b", std::string("\\/\b\t\n\f\r\x01\x1f\x7f")}}),
            "{\"a\\\"b\":\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"}");
  EXPECT_EQ(canonical_json({{"z", std::string(1, '\0')}}), "{\"z\":\"\\u0000\"}");
}

TEST(CanonicalJson, SortsKeysByByte) {
  // Upper case before '_' before lower case; a prefix before what it begins.
  EXPECT_EQ(canonical_json({{"b", true}, {"ab", true}, {"a", true}, {"_", true}, {"Z", true}}),
            R"({"Z":true,"_":true,"a":true,"ab":true,"b":true})");
}

TEST(CanonicalJson, RefusesWhatOtherReadersWouldChange) {
  EXPECT_THROW(canonical_json({{"k", std::string("caf\xc3\xa9")}}), Error);
  EXPECT_THROW(canonical_json({{"caf\xc3\xa9", true}}), Error);
  const std::int64_t largest =
      (std::int64_t{1} << 53) - 1;  // the last integer that doubles keep apart from its successor
  EXPECT_NO_THROW(canonical_json({{"k", largest}, {"l", -largest}}));
  EXPECT_THROW(canonical_json({{"k", largest + 1}}), Error);
  EXPECT_THROW(canonical_json({{"k", -largest - 1}}), Error);
}

TEST(ShortIds, ThatClashAreAnError) {
  EXPECT_NO_THROW(require_distinct_short_ids({}));
  EXPECT_NO_THROW(require_distinct_short_ids({"0123456789ab00", "0123456789ac00"}));
  EXPECT_THROW(require_distinct_short_ids({"0123456789ab00", "ffff", "0123456789ab11"}), Error);
}

}  // namespace
}  // namespace bench::scaling
