// SPDX-License-Identifier: Apache-2.0
// apply_overrides: what the command line says about a name takes the place of everything the sweep said about
// it.
#include <algorithm>
#include <set>

#include "scaling/catalogue.hpp"
#include "scaling/clauses.hpp"
#include "scaling/expression.hpp"
#include "scaling/glob.hpp"
#include "scaling/grammar.hpp"
#include "scaling/nearest.hpp"
#include "scaling/parameters.hpp"
#include "scaling/sweep.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

std::set<std::string> names_set_by(const AxisSpec& spec) {
  std::set<std::string> names;
  for (const Axis& axis : spec.axes) names.insert(axis.name);
  for (const AxisSpec::Zip& zip : spec.zips) names.insert(zip.names.begin(), zip.names.end());
  for (const auto& [name, text] : spec.lets) names.insert(name);
  for (const auto& [name, value] : spec.fixed) names.insert(name);
  return names;
}

std::set<std::string> names_used_by(const AxisSpec& spec) {
  std::set<std::string> used;
  const auto use = [&](const std::string& text) {
    for (std::string& name : Expression(text).names()) used.insert(std::move(name));
  };
  for (const auto& [name, text] : spec.lets) use(text);
  std::ranges::for_each(spec.where, use);
  std::ranges::for_each(spec.except, use);
  return used;
}

void remove_from_zips(AxisSpec& spec, const std::string& name) {
  for (AxisSpec::Zip& zip : spec.zips) {
    const auto it = std::ranges::find(zip.names, name);
    if (it == zip.names.end()) continue;
    const auto column = it - zip.names.begin();
    zip.names.erase(it);
    for (auto& tuple : zip.tuples) tuple.erase(tuple.begin() + column);
  }
  std::erase_if(spec.zips, [](const AxisSpec::Zip& zip) { return zip.names.empty(); });
}

/// Takes out every mention of `name` but an axis of that name, which keeps its place.
void forget(AxisSpec& spec, const std::string& name) {
  remove_from_zips(spec, name);
  std::erase_if(spec.lets, [&](const auto& let) { return let.first == name; });
  spec.fixed.erase(name);
  for (Params& point : spec.include) point.erase(name);
  std::erase_if(spec.include, [](const Params& point) { return point.empty(); });
}

/// A helper that served only a let that is gone (width, once heads is given) would now be an unused name.
void drop_unused_helpers(AxisSpec& spec, const Op& op) {
  const auto params = param_names(op);
  const auto used = names_used_by(spec);
  for (const std::string& name : names_set_by(spec)) {
    if (used.count(name) != 0 || std::ranges::find(params, name) != params.end()) continue;
    forget(spec, name);
    std::erase_if(spec.axes, [&](const Axis& axis) { return axis.name == name; });
  }
}

void sort_unique(std::vector<std::int64_t>& ranks) {
  std::ranges::sort(ranks);
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
}

void set_axis(Sweep& sweep, const Op& op, const std::string& name, const std::string& text) {
  if (name == "ranks" && sweep.scaling) {
    auto ranks = parse_ranks(text);
    sort_unique(ranks);
    sweep.scaling->ranks = std::move(ranks);
    return;
  }
  std::vector<Value> values = parse_range(text);
  for (const Value& value : values) check_type(op, name, value);
  forget(sweep.axes, name);
  const auto axis = std::ranges::find(sweep.axes.axes, name, &Axis::name);
  if (axis != sweep.axes.axes.end()) {
    axis->values = std::move(values);
  } else {
    sweep.axes.axes.push_back({name, std::move(values)});
  }
  drop_unused_helpers(sweep.axes, op);
}

void override_axis(Study& study, const std::string& name, const std::string& text) {
  bool taken = false;
  std::vector<std::string> known;
  for (Sweep& sweep : study.sweeps) {
    const Op& op = require_op(sweep.op);
    std::vector<std::string> names = param_names(op);
    std::ranges::copy(names_set_by(sweep.axes), std::back_inserter(names));
    known.insert(known.end(), names.begin(), names.end());
    if (std::ranges::find(names, name) == names.end()) continue;
    set_axis(sweep, op, name, text);
    taken = true;
  }
  if (!taken)
    usage_error(
        concat("no sweep of study '", study.name, "' has a parameter ", show(name), suggestion(name, known)));
}

/// Goes to the sweeps of the kernel's op; to all of them when no kernel here has that name, and make_cases
/// then says whether any has.
void override_baseline(Study& study, const std::string& baseline) {
  const Kernel* kernel = Registry<Kernel>::instance().find(baseline);
  const std::string op = kernel != nullptr ? kernel->op : op_from_name(baseline);
  bool taken = false;
  for (Sweep& sweep : study.sweeps) {
    if (!op.empty() && sweep.op != op) continue;
    sweep.baseline = baseline;
    taken = true;
  }
  if (!taken)
    usage_error(concat("baseline ", show(baseline), " is a kernel of op '", op, "', which study '",
                       study.name, "' does not use"));
}

void override_scaling(Study& study, ScalingSpec scaling) {
  sort_unique(scaling.ranks);
  check_scaling(scaling);
  bool taken = false;
  for (Sweep& sweep : study.sweeps) {
    const auto& patterns = study.filter.only.empty() ? sweep.kernels : study.filter.only;
    const auto kernels = Registry<Kernel>::instance().all();
    const bool fits = std::ranges::any_of(kernels, [&](const Kernel* kernel) {
      const bool can = kernel->collective || scaling.mode == "throughput";  // replicas run any kernel
      return can && kernel->op == sweep.op && matches_any(patterns, kernel->name);
    });
    if (!fits) continue;
    for (const char* name : {"ranks", "replicas"}) {
      forget(sweep.axes, name);
      std::erase_if(sweep.axes.axes, [&](const Axis& axis) { return axis.name == name; });
    }
    drop_unused_helpers(sweep.axes, require_op(sweep.op));
    sweep.scaling = scaling;
    taken = true;
  }
  if (!taken)
    usage_error(concat("no sweep of study '", study.name,
                       "' has a kernel that runs on several ranks, so nothing can be scaled"));
}

void override_base(Study& study, std::int64_t base) {
  bool taken = false;
  for (Sweep& sweep : study.sweeps) {
    if (!sweep.scaling) continue;
    sweep.scaling->base = base;
    check_scaling(*sweep.scaling);
    taken = true;
  }
  if (!taken)
    usage_error(concat("--base ", base, ": no sweep of study '", study.name,
                       "' has a scaling that a base could belong to"));
}

}  // namespace

void apply_overrides(Study& study, const StudyOverrides& overrides) {
  if (!overrides.kernels.empty()) study.filter.only = overrides.kernels;
  if (!overrides.include.empty()) study.filter.include = overrides.include;
  if (!overrides.exclude.empty()) study.filter.exclude = overrides.exclude;
  for (const auto* patterns : {&overrides.kernels, &overrides.include, &overrides.exclude})
    for (const std::string& pattern : *patterns) matches(pattern, "");  // a bad regular expression fails here
  if (overrides.scaling) override_scaling(study, *overrides.scaling);
  if (overrides.base) override_base(study, *overrides.base);
  for (const auto& [name, text] : overrides.axes) override_axis(study, name, text);
  if (!overrides.baseline.empty()) override_baseline(study, overrides.baseline);
  for (const Sweep& sweep : study.sweeps)
    with_place(concat("sweep '", sweep.name, "'"), [&] { check_sweep(sweep); });
}

}  // namespace bench::scaling
