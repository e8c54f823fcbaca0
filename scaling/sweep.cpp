// SPDX-License-Identifier: Apache-2.0
#include "scaling/sweep.hpp"

#include <algorithm>

#include "scaling/clauses.hpp"
#include "scaling/grammar.hpp"
#include "scaling/nearest.hpp"
#include "scaling/parameters.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

constexpr std::int64_t kMostRanks = std::int64_t{1} << 20;  // ten times the largest machines' GPU counts

bool sets(const AxisSpec& axes, const std::string& name) {
  const auto named = [&](const auto& item) { return item.name == name; };
  const auto first = [&](const auto& item) { return item.first == name; };
  const auto zipped = [&](const AxisSpec::Zip& zip) {
    return std::ranges::find(zip.names, name) != zip.names.end();
  };
  const auto has = [&](const Params& point) { return point.count(name) != 0; };
  return std::ranges::any_of(axes.axes, named) || std::ranges::any_of(axes.zips, zipped) ||
         std::ranges::any_of(axes.lets, first) || std::ranges::any_of(axes.include, has) || has(axes.fixed);
}

void require_one_of(const char* what, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::ranges::find(allowed, value) == allowed.end())
    usage_error(concat("scaling ", what, " = ", show(value), suggestion(value, allowed)));
}

}  // namespace

std::vector<std::int64_t> parse_ranks(const std::string& text) {
  std::vector<std::int64_t> ranks;
  for (const Value& value : parse_range(text)) {
    const std::int64_t* count = std::get_if<std::int64_t>(&value);
    if (count == nullptr || *count < 1 || *count > kMostRanks)
      usage_error(concat("ranks = ", show(to_text(value)), "; allowed: integers from 1 to ", kMostRanks));
    ranks.push_back(*count);
  }
  return ranks;
}

void check_scaling(const ScalingSpec& scaling) {
  require_one_of("mode", scaling.mode, {"strong", "weak"});
  if (scaling.mode == "weak") require_one_of("by", scaling.by, {"batch", "tokens", "flops"});
  if (scaling.mode == "strong" && !scaling.by.empty())
    usage_error(concat("scaling by = ", show(scaling.by),
                       " belongs to mode weak; under strong scaling nothing grows"));
  if (scaling.ranks.empty()) usage_error("scaling needs at least one rank count");
  const auto ascending = [](std::int64_t a, std::int64_t b) { return a >= b; };
  if (scaling.ranks.front() < 1 ||
      std::ranges::adjacent_find(scaling.ranks, ascending) != scaling.ranks.end())
    usage_error("scaling ranks have to be positive and ascending");
}

AxisSpec with_defaults(const Op& op, const AxisSpec& axes) {
  AxisSpec spec = axes;
  spec.fixed.merge(default_params(op));  // keeps what is there
  return spec;
}

void check_sweep(const Sweep& sweep) {
  const Op& op = require_op(sweep.op);
  if (sweep.scaling) check_scaling(*sweep.scaling);
  if (sweep.scaling && sets(sweep.axes, "ranks"))
    usage_error("'ranks' is set by the scaling; take it out of axes, zip, let, include and fixed");
  parse_clauses(with_defaults(op, sweep.axes), param_names(op));
}

}  // namespace bench::scaling
