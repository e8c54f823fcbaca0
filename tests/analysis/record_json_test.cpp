// SPDX-License-Identifier: Apache-2.0
// What a damaged or foreign journal can hold. Every refusal names its field, and nothing gets through that the statistics would choke on.
#include "analysis/record_json.hpp"

#include <gtest/gtest.h>

namespace bench::analysis {
namespace {

using nlohmann::json;

json good_visit() {
  // Doubles without a short decimal form: 0.1 + 0.2 needs 17 digits, the others are the smallest and a large one.
  VisitRecord visit{.case_id = "c", .ranks = 2, .rank_time_s = {0.1 + 0.2, 5e-324, 1.7e300, 1.0 / 3.0}};
  visit.checks = {{"o", 1e-7, 1e-5}};
  return to_json(visit);
}

json good_case() {
  scaling::Case c;
  c.params = {{"flag", true}, {"count", std::int64_t{1} << 62}, {"text", std::string("x")}};
  c.scaling = {{"s/t", "weak", "flops", "curve"}};
  c.crossovers = {{"s/t", "s/u", "seq"}};
  return to_json(c);
}

/// The words of the refusal; empty when `read` takes it.
template <class Read>
std::string refusal(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    return error.what();
  }
  return {};
}

void expect_named(const json& good, const std::string& field, const json& bad, json (*again)(const json&)) {
  json changed = good;
  changed[field] = bad;
  EXPECT_NE(refusal([&] { again(changed); }).find("'" + field), std::string::npos) << field << " = " << bad;
}

json visit_again(const json& j) { return to_json(visit_from_json(j)); }
json case_again(const json& j) { return to_json(case_from_json(j)); }

TEST(RecordJson, KeepsEveryBitOfADoubleThroughText) {
  const VisitRecord back = visit_from_json(json::parse(good_visit().dump()));
  EXPECT_EQ(back.rank_time_s, (std::vector<double>{0.1 + 0.2, 5e-324, 1.7e300, 1.0 / 3.0}));
}

TEST(RecordJson, KeepsTheFiguresOfAnAnswerAndWritesNoneWhereThereAreNone) {
  EXPECT_FALSE(good_visit().contains("figures"));
  VisitRecord visit = visit_from_json(good_visit());
  visit.figures = {{"loss", "1", 0.125}, {"snr", "dB", 21.5}};
  const VisitRecord back = visit_from_json(json::parse(to_json(visit).dump()));
  ASSERT_EQ(back.figures.size(), 2U);
  EXPECT_EQ(back.figures[1].name, "snr");
  EXPECT_EQ(back.figures[1].unit, "dB");
  EXPECT_EQ(back.figures[1].value, 21.5);
}

TEST(RecordJson, KeepsTheTypeOfEveryParameter) {
  const Params params = case_from_json(json::parse(good_case().dump())).params;
  EXPECT_EQ(params.at("flag"), Value(true));
  EXPECT_EQ(params.at("count"), Value(std::int64_t{1} << 62)) << "a double would have lost the low bits";
  EXPECT_EQ(params.at("text"), Value(std::string("x")));
}

TEST(RecordJson, NamesAnyFieldThatIsMissing) {
  for (const json& good : {good_visit(), good_case()}) {
    const auto again = good.contains("case_id") ? visit_again : case_again;
    ASSERT_EQ(again(good), good);
    for (const auto& [field, value] : good.items()) {
      if (field == "bytes_written" || field == "crossovers") continue;  // older journals have none
      json changed = good;
      changed.erase(field);
      EXPECT_NE(refusal([&] { again(changed); }).find("'" + field + "'"), std::string::npos) << field;
    }
  }
}

TEST(RecordJson, NamesAnyFieldOfAnotherType) {
  for (const json& good : {good_visit(), good_case()})
    for (const auto& [field, value] : good.items())
      for (const json& bad : {json(nullptr), json::object({{"a", json::array()}})})
        expect_named(good, field, bad, good.contains("case_id") ? visit_again : case_again);
}

TEST(RecordJson, TakesNoListOfTheWrongThings) {
  expect_named(good_visit(), "rank_time_s", json::array({"fast"}), visit_again);
  expect_named(good_case(), "sweeps", json::array({1}), case_again);
  json changed = good_visit();
  changed["checks"] = json::array({1});
  EXPECT_NE(refusal([&] { visit_again(changed); }).find("'output' must be inside an object"), std::string::npos);
}

TEST(RecordJson, TakesNoNumberThatWouldBeCutOrWrapped) {
  for (const json& bad : {json(1.5), json(1e300), json(UINT64_MAX), json("1"), json(true)})
    for (const char* field : {"visit", "ranks", "wire_bytes"}) expect_named(good_visit(), field, bad, visit_again);
}

TEST(RecordJson, TakesNoOutcomeThatItDoesNotKnow) { expect_named(good_visit(), "outcome", "fine", visit_again); }

TEST(RecordJson, TakesNoSamplesThatDoNotFillTheirRows) {
  expect_named(good_visit(), "ranks", 0, visit_again);  // would be a division by zero
  expect_named(good_visit(), "ranks", -2, visit_again);
  expect_named(good_visit(), "rank_time_s", json::array({1.0, 2.0, 3.0}), visit_again);   // three times of two ranks
  expect_named(good_visit(), "rank_time_s", json::array(), visit_again);                  // ok, and yet no sample
  expect_named(good_visit(), "rank_time_s", json::array({1.0, -1.0}), visit_again);
}

TEST(RecordJson, WritesWordsThatAreNotUtf8) {
  VisitRecord visit{.case_id = "c", .outcome = Outcome::crashed, .reason = "bad \xff byte"};
  std::string text;
  ASSERT_NO_THROW(text = to_json(visit).dump()) << "a kernel's last words must not end the sweep";
  EXPECT_NE(visit_from_json(json::parse(text)).reason.find("byte"), std::string::npos);
}

TEST(RecordJson, RefusesLimitsWithAnotherNumberOfTriads) {
  json limits = to_json(Limits{});
  limits["triad_bytes_per_s"].push_back(1.0);
  EXPECT_NE(refusal([&] { limits_from_json(limits); }).find("'triad_bytes_per_s'"), std::string::npos);
}

}  // namespace
}  // namespace bench::analysis
