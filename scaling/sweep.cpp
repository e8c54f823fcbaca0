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

const std::vector<std::string>& scaling_words() {
  static const std::vector<std::string> words{"strong", "weak:batch", "weak:tokens", "weak:flops", "throughput"};
  return words;
}

ScalingSpec parse_scaling(const std::string& word) {
  const auto& words = scaling_words();
  if (std::ranges::find(words, word) == words.end())
    usage_error(concat("scaling ", show(word), suggestion(word, words)));
  const std::size_t colon = std::min(word.find(':'), word.size());
  return {.mode = word.substr(0, colon), .by = colon < word.size() ? word.substr(colon + 1) : "", .ranks = {}};
}

std::string scaling_word(const std::string& mode, const std::string& by) {
  return by.empty() ? mode : mode + ':' + by;
}

void check_scaling(const ScalingSpec& scaling) {
  require_one_of("mode", scaling.mode, {"strong", "weak", "throughput"});
  if (scaling.mode == "weak") require_one_of("by", scaling.by, {"batch", "tokens", "flops"});
  if (scaling.mode != "weak" && !scaling.by.empty())
    usage_error(concat("scaling by = ", show(scaling.by), " belongs to mode weak; under ", scaling.mode,
                       " scaling no parameter grows"));
  if (scaling.base < 0 || scaling.base > kMostRanks)
    usage_error(concat("scaling base = ", scaling.base, "; allowed: a rank count from 1 to ", kMostRanks,
                       ", or 0 for the smallest that runs"));
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
  for (const char* name : {"ranks", "replicas"})
    if (sweep.scaling && sets(sweep.axes, name))
      usage_error(concat("'", name, "' is set by the scaling; take it out of axes, zip, let, include and fixed"));
  parse_clauses(with_defaults(op, sweep.axes), param_names(op));
}

void require_integer_param(const Op& op, const std::string& name) {
  std::vector<std::string> integers;
  for (const ParamSpec& param : op.params)
    if (std::holds_alternative<std::int64_t>(param.fallback)) integers.push_back(param.name);
  if (std::ranges::find(integers, name) == integers.end())
    usage_error(concat("crossover along = ", show(name), " is no integer parameter of op ", op.name, suggestion(name, integers)));
}

void check_crossover(const Sweep& sweep, const std::vector<Sweep>& all) {
  if (!sweep.crossover) return;
  std::vector<std::string> others;
  for (const Sweep& other : all)
    if (other.name != sweep.name) others.push_back(other.name);
  const auto against = std::ranges::find(all, sweep.crossover->against, &Sweep::name);
  if (against == all.end() || against->name == sweep.name)
    usage_error(concat("crossover against = ", show(sweep.crossover->against), " is no other sweep of this study", suggestion(sweep.crossover->against, others)));
  require_integer_param(require_op(against->op), sweep.crossover->along);
}

}  // namespace bench::scaling
