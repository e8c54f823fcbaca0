// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/policy.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "analysis/compare/yaml_fields.hpp"
#include "scaling/glob.hpp"
#include "scaling/nearest.hpp"
#include "scaling/value.hpp"

namespace bench::analysis {
namespace {

using scaling::show;
using scaling::YamlCursor;

// The same limits as the flags of `compare` have.
constexpr Range kMargin{1e-6, 10.0};
constexpr Range kAlpha{1e-6, 0.5};
constexpr Range kConfidence{0.5, 0.9999};
constexpr Range kLaunches{3, 1000};
constexpr Range kWorseBy{0.0, 10.0};

/// YamlCursor::allow_keys speaks of "the study" at the top of a document.
void allow_top_keys(const YamlCursor& top, const std::vector<std::string>& known) {
  for (const auto& [key, value] : top.entries())
    if (const std::string name = key.text(); std::ranges::find(known, name) == known.end())
      key.fail(concat("unknown key ", show(name), " in the policy", scaling::suggestion(name, known)));
}

void check_version(const YamlCursor& top) {
  const auto version = top.find("schema_version");
  if (!version) top.fail("key 'schema_version' is missing in the policy; a policy says 'schema_version: 1'");
  if (version->text() != "1")
    version->fail(concat("schema_version = ", show(version->text()), "; this program reads version 1"));
}

Correction read_correction(const YamlCursor& at) {
  const std::string text = at.text();
  if (text != "holm" && text != "bh")
    at.fail(concat(at.path(), " = ", show(text), scaling::suggestion(text, {"holm", "bh"})));
  return text == "holm" ? Correction::holm : Correction::benjamini_hochberg;
}

Override read_override(const YamlCursor& at) {
  at.allow_keys({"match", "worse_by", "margin"});
  Override result;
  result.match = read_pattern(at.require("match"));
  if (const auto value = at.find("worse_by")) result.worse_by = read_number(*value, kWorseBy);
  if (const auto value = at.find("margin")) result.margin = read_number(*value, kMargin);
  if (!result.worse_by && !result.margin) at.fail(concat(at.path(), " has neither worse_by nor margin"));
  return result;
}

Bound read_bound(const YamlCursor& at) {
  at.allow_keys({"match", "value", "lo", "hi", "unit"});
  Bound bound;
  bound.match = read_pattern(at.require("match"));
  const auto unit = at.find("unit");
  const double seconds = unit ? read_unit_s(*unit) : 1.0;
  const YamlCursor value = at.require("value");
  bound.value_s = read_number(value, {0.0, 1e15}) * seconds;
  if (!(bound.value_s > 0.0)) value.fail(concat(value.path(), " is 0; it has to be a time above 0"));
  if (const auto lo = at.find("lo")) bound.lo = read_number(*lo, {-1.0, 0.0});
  if (const auto hi = at.find("hi")) bound.hi = read_number(*hi, {0.0, 1e6});
  if (!bound.lo && !bound.hi) at.fail(concat(at.path(), " has neither lo nor hi"));
  return bound;
}

template <class Item>
std::vector<Item> read_list(const YamlCursor& top, const char* key, Item (*read)(const YamlCursor&)) {
  std::vector<Item> items;
  if (const auto list = top.find(key))
    for (const YamlCursor& item : list->items()) items.push_back(read(item));
  return items;
}

template <class Field>
double last_that_fits(const Policy& policy, const std::string& name, Field field, double otherwise) {
  double value = otherwise;
  for (const Override& other : policy.overrides)
    if ((other.*field) && scaling::matches(other.match, name)) value = *(other.*field);
  return value;
}

}  // namespace

Policy parse_policy(const std::string& text, const std::string& origin) {
  const YamlCursor top = YamlCursor::parse(text, origin);
  allow_top_keys(top,
                 {"schema_version", "margin", "alpha", "confidence", "correction", "min_launches", "worse_by",
                  "abs_floor", "allow_missing", "allow_undecided", "criteria", "overrides", "bounds"});
  check_version(top);
  Policy policy;
  VerdictRule& rule = policy.compare.verdict;
  if (const auto at = top.find("margin")) rule.margin = read_number(*at, kMargin);
  if (const auto at = top.find("alpha")) rule.alpha = read_number(*at, kAlpha);
  if (const auto at = top.find("confidence")) rule.confidence = read_number(*at, kConfidence);
  if (const auto at = top.find("min_launches")) rule.min_launches = read_count(*at, kLaunches);
  if (const auto at = top.find("correction")) policy.compare.correction = read_correction(*at);
  if (const auto at = top.find("worse_by")) policy.worse_by = read_number(*at, kWorseBy);
  if (const auto at = top.find("abs_floor")) policy.abs_floor_s = read_time_s(*at);
  if (const auto at = top.find("allow_missing")) policy.allow_missing = read_flag(*at);
  if (const auto at = top.find("allow_undecided")) policy.allow_undecided = read_flag(*at);
  if (const auto at = top.find("criteria")) policy.criteria = parse_criteria(*at);
  policy.overrides = read_list<Override>(top, "overrides", read_override);
  policy.bounds = read_list<Bound>(top, "bounds", read_bound);
  return policy;
}

Policy load_policy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.fail()) usage_error(concat("cannot read the policy ", show(path)));
  return parse_policy(text.str(), path);
}

double worse_by_of(const Policy& policy, const std::string& name) {
  return last_that_fits(policy, name, &Override::worse_by, policy.worse_by);
}

double margin_of(const Policy& policy, const std::string& name) {
  return last_that_fits(policy, name, &Override::margin, policy.compare.verdict.margin);
}

}  // namespace bench::analysis
