// SPDX-License-Identifier: Apache-2.0
#include "scaling/clauses.hpp"

#include <algorithm>

#include "scaling/nearest.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

using Names = std::set<std::string>;
using Zip = AxisSpec::Zip;

std::string zip_label(const Zip& zip) {
  std::string label = "zip (";
  for (const std::string& name : zip.names) label += (label.back() == '(' ? "" : ", ") + name;
  return label + ")";
}

void check_zip(const Zip& zip) {
  if (zip.names.empty()) usage_error("a zip names no parameter");
  if (zip.tuples.empty()) usage_error(concat(zip_label(zip), " has no tuple"));
  for (std::size_t i = 0; i < zip.tuples.size(); ++i)
    if (zip.tuples[i].size() != zip.names.size())
      usage_error(concat(zip_label(zip), " has ", zip.names.size(), " names, but its tuple ", i + 1, " has ",
                         zip.tuples[i].size(), " values; each tuple needs one value per name"));
}

void define_once(const std::string& name, Names& defined) {
  if (!defined.insert(name).second)
    usage_error(concat("parameter ", show(name),
                       " is defined twice; a name may be one axis, one part of a zip or one let"));
}

/// Names that axes, zips and lets define.
Names defined_names(const AxisSpec& spec) {
  Names defined;
  for (const Axis& axis : spec.axes) {
    if (axis.values.empty())
      usage_error(concat("axis ", show(axis.name), " has no value; it needs at least one"));
    define_once(axis.name, defined);
  }
  for (const Zip& zip : spec.zips) {
    check_zip(zip);
    for (const std::string& name : zip.names) define_once(name, defined);
  }
  for (const auto& [name, expression] : spec.lets) define_once(name, defined);
  return defined;
}

std::vector<Let> parse_lets(const AxisSpec& spec) {
  std::vector<Let> lets;
  for (const auto& let : spec.lets)
    lets.push_back({let.first, with_place("let " + let.first, [&] { return Expression(let.second); })});
  return lets;
}

std::vector<Condition> parse_conditions(const AxisSpec& spec) {
  std::vector<Condition> conditions;
  const auto add = [&](const std::string& kind, const std::vector<std::string>& texts, bool drops_when) {
    for (const std::string& text : texts)
      conditions.push_back(
          {with_place(kind, [&] { return Expression(text); }), kind + ": " + text, drops_when});
  };
  add("where", spec.where, false);
  add("except", spec.except, true);
  return conditions;
}

/// Every name an expression uses must have a value somewhere in the sweep; the error says where the name
/// stands.
void check_used(const Expression& expression, const std::string& place, const Names& all,
                const std::vector<std::string>& known_names) {
  for (const std::string& name : expression.names()) {
    if (all.count(name) != 0) continue;
    if (std::find(known_names.begin(), known_names.end(), name) != known_names.end())
      usage_error(concat(place, ": ", show(name),
                         " has no value in this sweep; give it an axis, a let or a fixed value"));
    usage_error(concat(place, ": no parameter is called ", show(name),
                       suggestion(name, std::vector<std::string>(all.begin(), all.end())),
                       " (a text is written in quotes)"));
  }
}

/// The names that are no parameter and serve only expressions. One that no expression uses is a mistake.
Names helper_names(const Names& all, const Names& used, const std::vector<std::string>& known_names) {
  if (known_names.empty()) return {};
  const Names known(known_names.begin(), known_names.end());
  Names helpers;
  for (const std::string& name : all) {
    if (known.count(name) != 0) continue;
    if (used.count(name) == 0)
      usage_error(concat("no parameter is called ", show(name), suggestion(name, known_names),
                         " (and no expression uses it)"));
    helpers.insert(name);
  }
  return helpers;
}

[[noreturn]] void cycle_error(const std::vector<Let>& stuck) {
  const auto find = [&](const std::string& name) {
    return std::find_if(stuck.begin(), stuck.end(), [&](const Let& let) { return let.name == name; });
  };
  // Every stuck let uses a stuck let, so following the first such name must come back to one seen before.
  std::vector<std::string> path{stuck.front().name};
  while (std::count(path.begin(), path.end(), path.back()) < 2) {
    const std::vector<std::string> used = find(path.back())->expression.names();
    path.push_back(*std::find_if(used.begin(), used.end(),
                                 [&](const std::string& name) { return find(name) != stuck.end(); }));
  }
  std::string text;
  for (auto name = std::find(path.begin(), path.end(), path.back()); name != path.end(); ++name)
    text += (text.empty() ? "" : " -> ") + *name;
  usage_error(concat("the lets form a cycle: ", text));
}

/// Each let after the lets it uses; otherwise as declared.
std::vector<Let> in_dependency_order(std::vector<Let> waiting) {
  std::vector<Let> ordered;
  Names unknown;
  for (const Let& let : waiting) unknown.insert(let.name);
  while (!waiting.empty()) {
    const auto ready = std::find_if(waiting.begin(), waiting.end(), [&](const Let& let) {
      const std::vector<std::string> used = let.expression.names();
      return std::none_of(used.begin(), used.end(),
                          [&](const std::string& name) { return unknown.count(name) != 0; });
    });
    if (ready == waiting.end()) cycle_error(waiting);
    unknown.erase(ready->name);
    ordered.push_back(std::move(*ready));
    waiting.erase(ready);
  }
  return ordered;
}

}  // namespace

Clauses parse_clauses(const AxisSpec& spec, const std::vector<std::string>& known_names) {
  Names all = defined_names(spec);
  for (const auto& [name, value] : spec.fixed) all.insert(name);
  for (const Params& point : spec.include)
    for (const auto& [name, value] : point) all.insert(name);

  Clauses clauses{parse_lets(spec), parse_conditions(spec), {}};
  Names used;
  const auto use = [&](const Expression& expression, const std::string& place) {
    check_used(expression, place, all, known_names);
    for (std::string& name : expression.names()) used.insert(std::move(name));
  };
  for (const Let& let : clauses.lets) use(let.expression, "let " + let.name);
  for (const Condition& condition : clauses.conditions) use(condition.expression, condition.clause);
  clauses.helpers = helper_names(all, used, known_names);
  clauses.lets = in_dependency_order(std::move(clauses.lets));
  return clauses;
}

}  // namespace bench::scaling
