// SPDX-License-Identifier: Apache-2.0
#include "scaling/sweep_yaml.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "scaling/clauses.hpp"
#include "scaling/glob.hpp"
#include "scaling/grammar.hpp"
#include "scaling/nearest.hpp"
#include "scaling/parameters.hpp"
#include "scaling/settings.hpp"
#include "scaling/sweep.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

const std::vector<std::string> kSweepKeys{"name", "op",    "kernels", "baseline", "axes",  "zip",
                                          "let",  "where", "except",  "include",  "fixed", "scaling",
                                          "crossover"};

/// Reads the clauses of one sweep with the names that may stand in them.
class ClauseReader {
 public:
  ClauseReader(const Op& op, const YamlCursor& sweep) : op_(op), names_(param_names(op)) {
    spec.where = conditions(sweep, "where");
    spec.except = conditions(sweep, "except");
    if (const auto at = sweep.find("let")) lets(*at);
    std::ranges::copy(used_, std::back_inserter(names_));  // what an expression uses may be a helper
    for (const auto& [name, key] : let_keys_) check_name(key, "let");
    if (const auto at = sweep.find("axes")) axes(*at);
    if (const auto at = sweep.find("zip")) zips(*at);
    if (const auto at = sweep.find("fixed")) spec.fixed = point(*at);
    if (const auto at = sweep.find("include")) included(*at);
  }

  AxisSpec spec;

 private:
  void use(const YamlCursor& at, const std::string& text) {
    const Expression expression = at.here([&] { return Expression(text); });
    for (std::string& name : expression.names()) used_.insert(std::move(name));
  }

  std::vector<std::string> conditions(const YamlCursor& sweep, const char* key) {
    const auto at = sweep.find(key);
    if (!at) return {};
    std::vector<std::string> texts;
    for (const YamlCursor& item : at->is_text() ? std::vector<YamlCursor>{*at} : at->items()) {
      texts.push_back(item.text());
      use(item, texts.back());
    }
    return texts;
  }

  void lets(const YamlCursor& at) {
    for (const auto& [key, value] : at.entries()) {
      spec.lets.emplace_back(key.text(), value.text());
      let_keys_.emplace_back(key.text(), key);
      use(value, value.text());
    }
  }

  std::string check_name(const YamlCursor& key, const std::string& where) const {
    const std::string name = key.text();
    if (std::ranges::find(names_, name) == names_.end())
      key.fail(concat("unknown key ", show(name), " in ", where, suggestion(name, names_)));
    return name;
  }

  /// One value, of the parameter's type.
  Value value(const YamlCursor& at, const std::string& name) const {
    return at.here([&] {
      Value value = parse_value(at.text());
      check_type(op_, name, value);
      return value;
    });
  }

  /// A range text, or a list whose items are values and range texts.
  std::vector<Value> values(const YamlCursor& at, const std::string& name) const {
    std::vector<Value> values;
    for (const YamlCursor& item : at.is_text() ? std::vector<YamlCursor>{at} : at.items()) {
      const auto more = item.here([&] { return parse_range(item.text()); });
      item.spend(static_cast<std::int64_t>(more.size()));
      for (const Value& value : more) item.here([&] { check_type(op_, name, value); });
      values.insert(values.end(), more.begin(), more.end());
    }
    if (values.empty()) at.fail(concat(at.path(), " is empty; an axis has at least one value"));
    return values;
  }

  void axes(const YamlCursor& at) {
    for (const auto& [key, value] : at.entries()) {
      const std::string name = check_name(key, at.path());
      spec.axes.push_back({name, values(value, name)});
    }
  }

  void zips(const YamlCursor& at) {
    for (const YamlCursor& item : at.items()) {
      if (item.entries().size() != 1)
        item.fail(concat(item.path(), " has to be one entry {[names]: [tuples]}"));
      const auto entry = item.entries().front();
      AxisSpec::Zip zip;
      for (const YamlCursor& name : entry.first.items()) zip.names.push_back(check_name(name, item.path()));
      for (const YamlCursor& tuple : entry.second.items()) zip.tuples.push_back(read_tuple(tuple, zip.names));
      if (zip.names.empty() || zip.tuples.empty())
        item.fail(concat(item.path(), " is empty; a zip has at least one name and one tuple"));
      spec.zips.push_back(std::move(zip));
    }
  }

  std::vector<Value> read_tuple(const YamlCursor& at, const std::vector<std::string>& names) const {
    const auto items = at.items();
    if (items.size() != names.size())
      at.fail(concat("a tuple of ", items.size(), " values in a zip of ", names.size(), " names (",
                     join(names), ")"));
    std::vector<Value> tuple;
    for (std::size_t i = 0; i < items.size(); ++i) tuple.push_back(value(items[i], names[i]));
    return tuple;
  }

  Params point(const YamlCursor& at) const {
    Params point;
    for (const auto& [key, v] : at.entries()) {
      const std::string name = check_name(key, at.path());
      point[name] = value(v, name);
    }
    return point;
  }

  void included(const YamlCursor& at) {
    for (const YamlCursor& item : at.items())
      spec.include.push_back(item.is_text() ? point_text(item) : point(item));
  }

  Params point_text(const YamlCursor& at) const {
    return at.here([&] {
      Params point = parse_point(at.text());
      for (const auto& [name, value] : point) {
        if (std::ranges::find(names_, name) == names_.end())
          usage_error(concat("unknown key ", show(name), " in ", at.path(), suggestion(name, names_)));
        check_type(op_, name, value);
      }
      return point;
    });
  }

  const Op& op_;
  std::vector<std::string> names_;
  std::set<std::string> used_;
  std::vector<std::pair<std::string, YamlCursor>> let_keys_;
};

std::vector<std::int64_t> read_ranks(const YamlCursor& at) {
  std::vector<std::int64_t> ranks;
  for (const YamlCursor& item : at.is_text() ? std::vector<YamlCursor>{at} : at.items()) {
    const auto more = item.here([&] { return parse_ranks(item.text()); });
    item.spend(static_cast<std::int64_t>(more.size()));
    ranks.insert(ranks.end(), more.begin(), more.end());
  }
  if (ranks.empty()) at.fail(concat(at.path(), " is empty; it needs at least one rank count"));
  std::ranges::sort(ranks);
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

ScalingSpec read_scaling(const YamlCursor& at) {
  at.allow_keys({"mode", "by", "ranks", "base"});
  ScalingSpec scaling;
  const YamlCursor mode = at.require("mode");
  scaling.mode = mode.text();
  if (scaling.mode.find(':') != std::string::npos) scaling = mode.here([&] { return parse_scaling(mode.text()); });
  if (const auto by = at.find("by")) {
    if (!scaling.by.empty()) by->fail(concat("'by' stands twice; mode = ", show(mode.text()), " already says it"));
    scaling.by = by->text();
  }
  scaling.ranks = read_ranks(at.require("ranks"));
  if (const auto base = at.find("base")) {
    const auto counts = base->here([&] { return parse_ranks(base->text()); });
    if (counts.size() != 1) base->fail(concat(base->path(), " = ", show(base->text()), "; it has to be one rank count"));
    scaling.base = counts.front();
  }
  at.here([&] { check_scaling(scaling); });
  return scaling;
}

CrossoverSpec read_crossover(const YamlCursor& at, const Op& op) {
  at.allow_keys({"against", "along"});
  CrossoverSpec crossover{at.require("against").text(), at.require("along").text()};
  at.require("along").here([&] { require_integer_param(op, crossover.along); });
  return crossover;
}

}  // namespace

std::vector<std::string> read_patterns(const YamlCursor& at) {
  std::vector<std::string> patterns;
  for (const YamlCursor& item : at.is_text() ? std::vector<YamlCursor>{at} : at.items()) {
    patterns.push_back(item.text());
    if (patterns.back().empty())
      item.fail(concat(item.path(), " is empty; it has to be a kernel's name or a pattern"));
    item.here([&] { matches(patterns.back(), ""); });
  }
  return patterns;
}

std::string read_name(const YamlCursor& at) {
  constexpr std::size_t kLongest = 64;
  const std::string name = at.text();
  const auto fits = [](char c) { return is_name_part(c) || c == '-' || c == '.'; };
  if (name.empty() || name.size() > kLongest || !std::ranges::all_of(name, fits))
    at.fail(concat(at.path(), " = ", show(name), "; allowed: 1 to ", kLongest,
                   " letters, digits, '_', '-', '.'"));
  return name;
}

Sweep read_sweep(const YamlCursor& at, std::size_t index) {
  at.allow_keys(kSweepKeys);
  Sweep sweep;
  const auto name = at.find("name");
  sweep.name = name ? read_name(*name) : concat("sweep", index + 1);
  const YamlCursor op_at = at.require("op");
  sweep.op = op_at.text();
  const Op& op = op_at.here([&]() -> const Op& { return require_op(sweep.op); });
  const YamlCursor kernels = at.require("kernels");
  sweep.kernels = read_patterns(kernels);
  if (sweep.kernels.empty()) kernels.fail(concat(kernels.path(), " is empty; name at least one kernel"));
  if (const auto baseline = at.find("baseline")) sweep.baseline = baseline->text();
  sweep.axes = ClauseReader(op, at).spec;
  if (const auto scaling = at.find("scaling")) sweep.scaling = read_scaling(*scaling);
  if (const auto crossover = at.find("crossover")) sweep.crossover = read_crossover(*crossover, op);
  at.here([&] { with_place(concat("sweep '", sweep.name, "'"), [&] { check_sweep(sweep); }); });
  return sweep;
}

}  // namespace bench::scaling
