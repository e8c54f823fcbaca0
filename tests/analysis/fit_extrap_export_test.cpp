// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/extrap_export.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

const ExtrapCurve kCurve{"p", "study->ring", "time", {1, 2, 4}, {{4.0, 4.5}, {2.125}, {1e-7, 0.1}}};

TEST(ExtrapExport, WritesJsonLinesAsTheirPageDescribesThem) {
  EXPECT_EQ(
      extrap_json_lines(std::vector{kCurve}),
      "{\"params\":{\"p\":1},\"callpath\":\"study->ring\",\"metric\":\"time\",\"value\":[4.0,4.5]}\n"
      "{\"params\":{\"p\":2},\"callpath\":\"study->ring\",\"metric\":\"time\",\"value\":[2.125]}\n"
      "{\"params\":{\"p\":4},\"callpath\":\"study->ring\",\"metric\":\"time\",\"value\":[1e-07,0.1]}\n");
}

TEST(ExtrapExport, WritesTextAsTheirGrammarDescribesIt) {
  EXPECT_EQ(extrap_text(kCurve),
            "PARAMETER p\nPOINTS (1) (2) (4)\nMETRIC time\nREGION study->ring\n"
            "DATA 4 4.5\nDATA 2.125\nDATA 0.0000001 0.1\n")
      << "its numbers have no exponent";
}

TEST(ExtrapExport, WritesTextThatReadsBackAsTheSameDoubles) {
  ExtrapCurve curve{"p", "c", "time", {1}, {{0.1 + 0.2, 1.0 / 3.0 * 1e-6, 12345.678901234567}}};
  std::istringstream text(extrap_text(curve));
  std::string word;
  while (text >> word && word != "DATA") continue;
  for (const double expected : curve.values[0]) {
    text >> word;
    EXPECT_EQ(std::stod(word), expected);
  }
}

TEST(ExtrapExport, KeepsNamesInOnePiece) {
  ExtrapCurve curve = kCurve;
  curve.callpath = "my study->ring";
  EXPECT_NE(extrap_text(curve).find("REGION my_study->ring\n"), std::string::npos);
}

TEST(ExtrapExport, RefusesPointsWithoutValues) {
  ExtrapCurve curve = kCurve;
  curve.values[1].clear();
  EXPECT_THROW(extrap_text(curve), Error);
  curve.values.pop_back();
  EXPECT_THROW(extrap_json_lines(std::vector{curve}), Error);
  EXPECT_EQ(extrap_json_lines({}), "");
}

TEST(ExtrapExport, TakesTheCurvesOfARun) {
  const RunRecord run = synthetic_run();
  const std::vector<ExtrapCurve> curves = extrap_curves(run, make_results(run));
  ASSERT_EQ(curves.size(), 1U);
  EXPECT_EQ(curves[0].callpath, "pencil/strong->attention/ring->strong->curve");
  EXPECT_EQ(curves[0].coordinates, (std::vector<double>{1, 2}));
  EXPECT_EQ(curves[0].values[1].size(), 1U) << "one visit";
  std::istringstream lines(extrap_json_lines(curves));
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(nlohmann::json::accept(line));
}

}  // namespace
}  // namespace bench::analysis
