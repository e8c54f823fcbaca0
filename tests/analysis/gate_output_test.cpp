// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/gate_output.hpp"

#include <gtest/gtest.h>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <sstream>

#include "analysis/compare/markup.hpp"
#include "tests/analysis/gate_rows.hpp"

namespace bench::analysis {
namespace {

using boost::property_tree::ptree;

/// Everything that has a meaning in XML, HTML or Markdown, or none anywhere: control characters, a byte that
/// is no UTF-8, and U+FFFF.
const std::string kHostile =
    std::string("k <b>\"x\"</b> & 'y' | `c` **d** [l](http://h) @you ]]> \x01\x1b[31m\n2\t3 ") +
    "\xff \xEF\xBF\xBF \xC3\xA9";

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++found;
  return found;
}

ptree parsed(const std::string& xml) {
  std::istringstream stream(xml);
  ptree tree;
  boost::property_tree::read_xml(stream, tree);
  return tree;
}

Comparison mixed_table() {
  return table_of({same_row("attention/flash seq=512"), regressed_row("scan/chunked seq=512"),
                   insufficient_row("few", 2), one_sided_row("gone", Verdict::missing),
                   one_sided_row("fresh", Verdict::new_case)});
}

TEST(JUnit, CountsAndPlacesEveryRow) {
  Policy policy;
  policy.allow_missing = true;
  const Comparison comparison = mixed_table();
  const ptree suite =
      parsed(to_junit(gate(comparison, policy), comparison)).get_child("testsuites.testsuite");
  EXPECT_EQ(suite.get<int>("<xmlattr>.tests"), 5);
  EXPECT_EQ(suite.get<int>("<xmlattr>.failures"), 2) << "slower, and too few launches";
  EXPECT_EQ(suite.get<int>("<xmlattr>.skipped"), 2) << "missing is allowed, new has no rival";
  EXPECT_EQ(suite.count("testcase"), 5U);
  auto testcase = suite.find("testcase");
  EXPECT_EQ(testcase->second.get<std::string>("<xmlattr>.classname"), "attention/flash");
  EXPECT_EQ(testcase->second.get<std::string>("<xmlattr>.name"), "attention/flash seq=512");
  EXPECT_EQ(testcase->second.get<double>("<xmlattr>.time"), 1e-3);
  for (const auto& [tag, node] : suite) {
    if (tag != "testcase" || node.get<std::string>("<xmlattr>.name") != "scan/chunked seq=512") continue;
    EXPECT_EQ(node.get<std::string>("failure.<xmlattr>.type"), "regression");
    EXPECT_EQ(node.get<std::string>("failure").rfind("+8.00 %", 0), 0U);
  }
}

TEST(JUnit, TakesNothingForMarkup) {
  ComparisonRow row = one_sided_row(kHostile, Verdict::invalid);
  row.reason = kHostile;
  Comparison comparison = table_of({row});
  comparison.old_label = kHostile;
  const std::string xml = to_junit(gate(comparison, {}), comparison);
  const ptree suite = parsed(xml).get_child("testsuites.testsuite");
  const auto& testcase = suite.find("testcase")->second;
  const std::string wanted =
      "k <b>\"x\"</b> & 'y' | `c` **d** [l](http://h) @you ]]> ??[31m\n2\t3 \xEF\xBF\xBD ? \xC3\xA9";
  EXPECT_EQ(testcase.get<std::string>("<xmlattr>.name"), wanted);
  EXPECT_EQ(testcase.get<std::string>("failure"), wanted);
  for (const char c : xml) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
}

TEST(JUnit, LeavesOutTimesThatAreNone) {
  const Comparison comparison = mixed_table();
  const std::string xml = to_junit(gate(comparison, {}), comparison);
  EXPECT_EQ(xml.find("nan"), std::string::npos) << xml;
  EXPECT_EQ(count(xml, " time=\""), 4U) << "the missing case has none";
}

TEST(MarkdownComment, ShowsWhatIsNotPassedAndFoldsTheRest) {
  const Comparison comparison = mixed_table();
  const std::string text = to_markdown_comment(gate(comparison, {}), comparison);
  EXPECT_EQ(text.rfind("### Benchmark gate failed\n", 0), 0U);
  const std::string top = text.substr(0, text.find("<details>"));
  EXPECT_EQ(top.find("<code>attention/flash"), std::string::npos) << "passed";
  EXPECT_NE(top.find("<code>scan/chunked seq=512</code> | **regression** | 1 ms | 1.08 ms |"),
            std::string::npos)
      << top;
  EXPECT_LT(top.find("<code>gone"), top.find("<code>fresh")) << "what blocks comes first";
  const std::string folded = text.substr(top.size());
  EXPECT_NE(folded.find("All 5 rows"), std::string::npos);
  EXPECT_NE(folded.find("<code>attention/flash seq=512</code>"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos);
}

TEST(MarkdownComment, OfATableThatPassesHasNoTableOnTop) {
  const Comparison comparison = table_of({same_row("a")});
  const std::string text = to_markdown_comment(gate(comparison, {}), comparison);
  EXPECT_EQ(text.rfind("### Benchmark gate passed\n", 0), 0U);
  EXPECT_EQ(count(text, "| case |"), 1U) << "the folded one";
}

TEST(MarkdownComment, ShowsThirtyRowsAndSaysHowManyMore) {
  std::vector<ComparisonRow> rows;
  for (int i = 0; i < 32; ++i)
    rows.push_back(regressed_row("case " + std::to_string(i)));  // two over the limit
  const Comparison comparison = table_of(std::move(rows));
  const std::string text = to_markdown_comment(gate(comparison, {}), comparison);
  const std::string top = text.substr(0, text.find("<details>"));
  EXPECT_EQ(count(top, "**regression**"), 30U);
  EXPECT_NE(top.find("\n... and 2 more\n"), std::string::npos);
  EXPECT_EQ(count(text, "**regression**"), 62U);
}

TEST(MarkdownComment, StaysBelowWhatHostsTake) {
  std::vector<ComparisonRow> rows;
  for (int i = 0; i < 2000; ++i) rows.push_back(regressed_row(std::string(1000, '|') + std::to_string(i)));
  const Comparison comparison = table_of(std::move(rows));
  const std::string text = to_markdown_comment(gate(comparison, {}), comparison);
  EXPECT_LT(text.size(), 65536U);
  EXPECT_EQ(count(text, "</details>"), 1U);
  EXPECT_EQ(count(text, " more\n"), 2U);
}

TEST(MarkdownComment, TakesNothingForMarkup) {
  ComparisonRow row = one_sided_row(kHostile, Verdict::invalid);
  row.reason = kHostile;
  const Comparison comparison = table_of({row});
  const std::string text = to_markdown_comment(gate(comparison, {}), comparison);
  for (const char* markup : {"<b>", "`c`", "**d**", "[l]", "@you", "http://", "\x01"})
    EXPECT_EQ(text.find(markup), std::string::npos) << markup;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| <code>")) {
      EXPECT_EQ(count(line, "|"), 7U) << "six cells: " << line;
    }
  }
}

TEST(Markup, KeepsOrdinaryTextAsItIs) {
  const std::string plain = "the new time is +5.00 %, p 0.001; gradient-norm (max)";
  EXPECT_EQ(xml_text(plain), plain);
  EXPECT_EQ(markdown_text(plain), plain);
  EXPECT_EQ(markdown_code("scan/chunked seq=8"), "<code>scan/chunked seq=8</code>");
}

}  // namespace
}  // namespace bench::analysis
