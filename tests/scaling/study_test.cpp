// SPDX-License-Identifier: Apache-2.0
#include "scaling/study.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "src/core/rng.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

const std::string kStudy = R"(schema_version: 1
name: toy
about: "a study with every clause: yes"
run: {warmup: 2, min_samples: 8, max_samples: 64, ci: 0.05, visits: 3, seed: 7, order: given, bind: none}
filter: {exclude: ["*_torch"]}
sweeps:
  - name: pairs
    op: toy_pairs
    kernels: [toy/plain, "toy/f*"]
    baseline: toy/plain
    axes:
      seq: 256..1024*2
      causal: [true, false]
      heads: [4, 8]
    zip: [{[batch, threads]: [[1, 2], [4, 1]]}]
    let: {width: heads * 8}
    where: ["seq * batch <= 4096"]
    except: "seq == 512 && causal"
    include: [{seq: 3000}, "seq=3001,causal=true"]
    fixed: {dtype: bf16}
  - name: rings
    op: toy_pairs
    kernels: toy/ring
    axes: {seq: [1k, 2k..8k*2]}
    scaling: {mode: weak, by: flops, ranks: "4,1..2*2"}
    crossover: {against: pairs, along: seq}
policy: criteria.yaml
)";

/// The message of the usage error that `work` throws; empty when it throws none.
template <class Work>
std::string usage_message(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    return error.what();
  }
  return {};
}
std::string message_of(const std::string& text) {
  return usage_message([&] { parse_study(text, "s.yaml"); });
}

/// kStudy with the first `from` replaced.
std::string with(const std::string& from, const std::string& to) {
  std::string text = kStudy;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

TEST(Study, EveryClauseIsRead) {
  const Study study = parse_study(kStudy, "s.yaml");
  EXPECT_EQ(study.name, "toy");
  EXPECT_EQ(study.about, "a study with every clause: yes");
  EXPECT_EQ(study.run.visits, 3);
  EXPECT_EQ(study.run.seed, 7);
  EXPECT_DOUBLE_EQ(study.run.ci, 0.05);
  EXPECT_EQ(study.run.order, "given");
  EXPECT_EQ(study.filter.exclude, std::vector<std::string>{"*_torch"});
  EXPECT_EQ(study.policy, "criteria.yaml");
  ASSERT_EQ(study.sweeps.size(), 2u);
  const Sweep& pairs = study.sweeps[0];
  EXPECT_EQ(pairs.kernels, (std::vector<std::string>{"toy/plain", "toy/f*"}));
  EXPECT_EQ(pairs.baseline, "toy/plain");
  ASSERT_EQ(pairs.axes.axes.size(), 3u);
  EXPECT_EQ(pairs.axes.axes[0].values,
            (std::vector<Value>{std::int64_t{256}, std::int64_t{512}, std::int64_t{1024}}));
  EXPECT_EQ(pairs.axes.axes[1].values, (std::vector<Value>{true, false}));
  ASSERT_EQ(pairs.axes.zips.size(), 1u);
  EXPECT_EQ(pairs.axes.zips[0].tuples[1], (std::vector<Value>{std::int64_t{4}, std::int64_t{1}}));
  EXPECT_EQ(pairs.axes.lets[0].second, "heads * 8");
  EXPECT_EQ(pairs.axes.where.size(), 1u);
  EXPECT_EQ(pairs.axes.except, std::vector<std::string>{"seq == 512 && causal"});
  EXPECT_EQ(pairs.axes.include, (std::vector<Params>{{{"seq", std::int64_t{3000}}},
                                                     {{"causal", true}, {"seq", std::int64_t{3001}}}}));
  EXPECT_EQ(pairs.axes.fixed.at("dtype"), Value(std::string("bf16")));
  const Sweep& rings = study.sweeps[1];
  EXPECT_EQ(rings.axes.axes[0].values.size(), 4u);  // 1k and 2k 4k 8k
  ASSERT_TRUE(rings.scaling.has_value());
  EXPECT_EQ(rings.scaling->ranks, (std::vector<std::int64_t>{1, 2, 4}));  // ascending, whatever was written
  EXPECT_EQ(rings.scaling->by, "flops");
  ASSERT_TRUE(rings.crossover.has_value());
  EXPECT_EQ(rings.crossover->against, "pairs");
  EXPECT_EQ(rings.crossover->along, "seq");
}

TEST(Study, AnUnknownKeyNamesFileLineColumnAndTheNearestKey) {
  EXPECT_EQ(message_of(with("      seq: 256", "      sek: 256")),
            "s.yaml:12:7: unknown key 'sek' in sweeps[0].axes; did you mean 'seq'?");
  EXPECT_EQ(message_of(with("about:", "abuot:")),
            "s.yaml:3:1: unknown key 'abuot' in the study; did you mean 'about'?");
  expect_has(message_of(with("warmup", "warmpu")),
             "s.yaml:4:7: unknown key 'warmpu' in run; did you mean 'warmup'?");
  expect_has(message_of(with("    kernels: [", "    kernel: [")),
             "unknown key 'kernel' in sweeps[0]; did you mean 'kernels'?");
  expect_has(message_of(with("{seq: 3000}", "{seqq: 3000}")),
             "unknown key 'seqq' in sweeps[0].include[0]; did you mean 'seq'?");
  expect_has(message_of(with("[batch, threads]", "[bach, threads]")),
             "unknown key 'bach' in sweeps[0].zip[0]; did you mean 'batch'?");
  expect_has(message_of(with("mode: weak", "mod: weak")), "did you mean 'mode'?");
}

TEST(Study, ACrossoverNamesAnotherSweepAndAnIntegerParameterOfBoth) {
  expect_has(message_of(with("against: pairs", "against: pears")), "crossover against = 'pears' is no other sweep of this study; did you mean 'pairs'?");
  expect_has(message_of(with("against: pairs", "against: rings")), "crossover against = 'rings' is no other sweep of this study");
  expect_has(message_of(with("along: seq", "along: sek")), "crossover along = 'sek' is no integer parameter of op toy_pairs; did you mean 'seq'?");
  expect_has(message_of(with("along: seq", "along: causal")), "crossover along = 'causal' is no integer parameter of op toy_pairs");
  expect_has(message_of(with("against: pairs, ", "")), "key 'against' is missing");
}

TEST(Study, AHelperThatNoExpressionUsesIsUnknown) {
  expect_has(message_of(with("width: heads * 8", "width: 16")), "unknown key 'heads' in sweeps[0].axes");
}

TEST(Study, EveryFaultIsAUsageErrorWithItsPlace) {
  const std::vector<std::array<std::string, 3>> faults{
      // what is replaced, by what, and what the message has to say
      {"schema_version: 1", "schema_version: 2",
       "s.yaml:1:17: schema_version = '2'; this program reads version 1"},
      {"schema_version: 1\n", "", "key 'schema_version' is missing in the study"},
      {"name: toy", "name: ../toy", "allowed: 1 to 64 letters"},
      {"name: toy\n", "", "key 'name' is missing in the study"},
      {"op: toy_pairs", "op: toy_pair", "s.yaml:8:9: no op is called 'toy_pair'; did you mean 'toy_pairs'?"},
      {"    op: toy_pairs\n", "", "key 'op' is missing in sweeps[0]"},
      {"kernels: [toy/plain, \"toy/f*\"]", "kernels: []", "sweeps[0].kernels is empty"},
      {"toy/f*", "re:(", "is not a regular expression"},
      {"causal: [true, false]", "causal: []", "sweeps[0].axes.causal is empty"},
      {"causal: [true, false]", "causal: [1, 0]",
       "causal = '1' is of type integer; causal is of type boolean"},
      {"causal: [true, false]", "causal: {a: b}", "sweeps[0].axes.causal is a mapping; it has to be a list"},
      {"causal: [true, false]", "causal:", "sweeps[0].axes.causal is nothing; it has to be a list"},
      {"seq: 256..1024*2", "seq: 1024..256*2",
       "s.yaml:12:12: range '1024..256*2': hi (256) is below lo (1024)"},
      {"seq: 256..1024*2", "seq: many", "seq = 'many' is of type text; seq is of type integer"},
      {"seq: 256..1024*2", "seq: 256\n      seq: 512",
       "s.yaml:13:7: key 'seq' stands twice in sweeps[0].axes"},
      {"seq: 256..1024*2", "seq: 256\n      batch: 2", "parameter 'batch' is defined twice"},
      {"[[1, 2], [4, 1]]", "[[1, 2], [4]]", "a tuple of 1 values in a zip of 2 names (batch, threads)"},
      {"[[1, 2], [4, 1]]", "[]", "sweeps[0].zip[0] is empty"},
      {"heads * 8", "heads *", "s.yaml:16:18: "},
      {"heads * 8", "haeds * 8", "s.yaml:14:7: unknown key 'heads' in sweeps[0].axes; did you mean 'haeds'?"},
      {"seq * batch <= 4096", "sek * batch <= 4096", "did you mean 'seq'?"},
      {"mode: weak", "mode: week", "scaling mode = 'week'; did you mean 'weak'?"},
      {"by: flops", "by: flop", "scaling by = 'flop'; did you mean 'flops'?"},
      {"by: flops, ", "", "scaling by = ''; known: batch, flops, tokens"},
      {"mode: weak", "mode: strong", "belongs to mode weak"},
      {"\"4,1..2*2\"", "[]", "is empty; it needs at least one rank count"},
      {"\"4,1..2*2\"", "0", "ranks = '0'; allowed: integers from 1 to"},
      {"\"4,1..2*2\"", "two", "ranks = 'two'; allowed"},
      {"axes: {seq: [1k", "axes: {ranks: 2, seq: [1k", "'ranks' is set by the scaling"},
      {"- name: rings", "- name: pairs", "sweep 'pairs' stands twice"},
      {"warmup: 2", "warmup: -1", "run.warmup = -1; allowed: 0 to 1000000"},
      {"warmup: 2", "warmup: some", "run.warmup = 'some'; it has to be an integer"},
      {"max_samples: 64", "max_samples: 4", "run.max_samples = 4 is below run.min_samples = 8"},
      {"ci: 0.05", "ci: nan", "run.ci = 'nan'; it has to be a number"},
      {"ci: 0.05", "ci: 2", "run.ci = 2; allowed: 0.0001 to 1"},
      {"order: given", "order: random", "run.order = 'random'; allowed: auto, longest, shuffle, abba, given"},
      {"filter: {exclude: [\"*_torch\"]}", "filter: {exclude: [\"\"]}", "filter.exclude[0] is empty"},
      {"name: toy", "name: [", "not valid YAML"},
      {"about: \"a study with every clause: yes\"", "about: [1]", "about is a list; it has to be a text"},
  };
  for (const auto& [from, to, part] : faults) expect_has(message_of(with(from, to)), part);
}

TEST(Study, TextsThatAreNoStudyAreUsageErrors) {
  for (const std::string& text :
       {std::string(), std::string("1"), std::string("[]"), std::string("~"), std::string("a: b\n---\nc: d"),
        std::string("schema_version: 1\0", 18), std::string("schema_version: 1\nname: x\nsweeps: []"),
        std::string("schema_version: 1\nname: x\nsweeps: 3"),
        std::string("schema_version: 1\nname: x\nsweeps: [3]")})
    EXPECT_NE(message_of(text), "") << text;
}

TEST(Study, AHostileDocumentFailsQuickly) {
  EXPECT_NE(message_of(std::string(200'000, '[')), "");  // far deeper than any stack
  EXPECT_NE(message_of(std::string(100'000, '{')), "");
  std::string blocks;
  for (int i = 0; i < 50'000; ++i) blocks += "- ";
  EXPECT_NE(message_of(blocks), "");
  expect_has(message_of(std::string((1u << 20) + 1, ' ')), "a study has at most 1048576");
  // One list of 1000 values, read through 4000 aliases: more work than any study, in 40 KB.
  std::string aliases =
      "schema_version: 1\nname: x\nsweeps:\n  - op: toy_line\n    kernels: line/plain\n    include: [{seq: "
      "1}]\n    zip:\n      - {[seq]: &big [";
  for (int i = 0; i < 1000; ++i) aliases += "[1],";
  aliases += "]}\n";
  for (int i = 0; i < 4000; ++i) aliases += "      - {[seq]: *big}\n";
  expect_has(message_of(aliases), "the study is too large");
  std::string ranges = "schema_version: 1\nname: x\nsweeps:\n";
  for (int i = 0; i < 5; ++i)
    ranges += "  - {name: s" + std::to_string(i) +
              ", op: toy_line, kernels: line/plain, axes: {seq: 1..900000+1}}\n";  // 5 * 9e5 values
  expect_has(message_of(ranges), "the study is too large");
}

TEST(Study, MutatedTextsNeverCrash) {
  const std::string alphabet = "[]{}:,-#&*!|>'\"%@` \n\t.0k\\\xff";  // what YAML is sensitive to
  const CounterRng rng(5, "mutations");
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(rng.uniform(draw++) * static_cast<double>(n));
  };
  int parsed = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text = kStudy;
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = alphabet[below(alphabet.size())];
          break;
        case 1:
          text.insert(at, 1, alphabet[below(alphabet.size())]);
          break;
        case 2:
          text.erase(at, 1 + below(20));
          break;
        default:
          text.insert(at, text.substr(below(text.size()), below(60)));
          break;
      }
    }
    try {
      to_yaml(parse_study(text, "fuzz"));
      ++parsed;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what() << "\n" << text;
    }
  }
  EXPECT_GT(parsed, 100);  // some edits are harmless, so the writer was tried as well
}

TEST(Study, WhatIsWrittenReadsBackTheSame) {
  const std::string once = to_yaml(parse_study(kStudy, "s.yaml"));
  const Study again = parse_study(once, "once.yaml");
  EXPECT_EQ(to_yaml(again), once);
  EXPECT_EQ(again.sweeps[0].axes.include, parse_study(kStudy, "s.yaml").sweeps[0].axes.include);
  EXPECT_EQ(again.run.ci, 0.05);
}

TEST(Study, AwkwardTextsSurviveWriting) {
  Study study = parse_study(kStudy, "s.yaml");
  study.about = "quotes \" ' and: [brackets], \\ and\na new line";
  study.sweeps[0].axes.fixed["dtype"] = std::string("1..2*2");  // looks like a range
  study.sweeps[0].axes.fixed["pass"] = std::string("true, 'x'");
  const Study again = parse_study(to_yaml(study), "again.yaml");
  EXPECT_EQ(again.about, study.about);
  EXPECT_EQ(again.sweeps[0].axes.fixed, study.sweeps[0].axes.fixed);
}

TEST(Study, AStudyIsLoadedByNameOrPath) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "bench_scale_study_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "toy.yaml") << kStudy;
  EXPECT_EQ(load_study("toy", folder.string()).name, "toy");
  EXPECT_EQ(load_study((folder / "toy.yaml").string(), "/nowhere").name, "toy");
  expect_has(usage_message([&] { load_study("tooy", folder.string()); }),
             "built in: toy; did you mean 'toy'?");
  expect_has(usage_message([&] { load_study(folder.string(), "/nowhere"); }), "is a folder");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bench::scaling
