// SPDX-License-Identifier: Apache-2.0
#include "scaling/catalogue.hpp"

#include <algorithm>
#include <set>

#include "scaling/glob.hpp"
#include "scaling/nearest.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

/// A missing kernel whose name does not tell its op may be any op's.
bool belongs(const Candidate& candidate, const std::string& op) {
  return candidate.op == op || candidate.op.empty();
}

std::vector<std::string> names_of(const std::vector<Candidate>& all, const std::string& op) {
  std::vector<std::string> names;
  for (const Candidate& candidate : all)
    if (op.empty() || belongs(candidate, op)) names.push_back(candidate.name);
  return names;
}

bool fits_some(const std::string& pattern, const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [&](const std::string& name) { return matches(pattern, name); });
}

/// `pattern` fits no kernel of the op: is it another op's, or nobody's?
[[noreturn]] void unknown_kernel(const std::string& pattern, const std::string& op,
                                 const std::vector<Candidate>& all) {
  for (const Candidate& other : all)
    if (!belongs(other, op) && matches(pattern, other.name))
      usage_error(concat("kernel ", show(pattern), " fits no kernel of op '", op, "'; '", other.name,
                         "' belongs to op '", other.op, "'"));
  usage_error(
      concat("no kernel of op '", op, "' is called ", show(pattern), suggestion(pattern, names_of(all, op))));
}

/// The passes that a sweep's points may have; fwd where it says nothing.
std::set<std::string> passes_of(const AxisSpec& axes) {
  std::set<std::string> passes;
  const auto add = [&](const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) passes.insert(*text);
  };
  for (const Axis& axis : axes.axes)
    if (axis.name == "pass") std::ranges::for_each(axis.values, add);
  for (const AxisSpec::Zip& zip : axes.zips)
    for (std::size_t i = 0; i < zip.names.size(); ++i)
      if (zip.names[i] == "pass")
        for (const auto& tuple : zip.tuples) add(tuple[i]);
  for (const Params& point : axes.include)
    if (const auto it = point.find("pass"); it != point.end()) add(it->second);
  if (const auto it = axes.fixed.find("pass"); passes.empty() && it != axes.fixed.end()) add(it->second);
  if (passes.empty()) passes.insert("fwd");
  return passes;
}

/// A pattern, and the filter, mean the kernels that can do one of the sweep's passes; a name in the sweep itself means that kernel, and gets
/// a row with the reason when it cannot.
bool is_meant(const Candidate& candidate, const std::vector<std::string>& named, const std::set<std::string>& passes) {
  if (candidate.kernel == nullptr || std::ranges::find(named, candidate.name) != named.end()) return true;
  return std::ranges::any_of(candidate.kernel->passes, [&](const std::string& pass) { return passes.contains(pass); });
}

}  // namespace

std::string op_from_name(const std::string& kernel) {
  const std::size_t slash = std::min(kernel.find('/'), kernel.size());
  const std::string_view folder = std::string_view(kernel).substr(0, slash);
  const std::string_view stem = std::string_view(kernel).substr(std::min(slash + 1, kernel.size()));
  std::string best;  // the longest, should one op's name begin another's
  for (const Op* op : Registry<Op>::instance().all())
    if ((folder == op->name || stem.starts_with(op->name + "_")) && op->name.size() > best.size())
      best = op->name;
  return best;
}

std::vector<Candidate> all_candidates(const std::vector<MissingKernel>& missing) {
  std::vector<Candidate> all;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    all.push_back({kernel->name, kernel->op, kernel, ""});
  for (const MissingKernel& item : missing)
    if (Registry<Kernel>::instance().find(item.name) == nullptr)
      all.push_back({item.name, op_from_name(item.name), nullptr, item.reason});
  std::ranges::sort(all, {}, &Candidate::name);
  return all;
}

void check_filter(const KernelFilter& filter, const std::vector<Candidate>& all) {
  const std::vector<std::string> names = names_of(all, "");
  const auto check = [&](const std::vector<std::string>& patterns, bool must_fit) {
    for (const std::string& pattern : patterns)
      if (!fits_some(pattern, names) && (must_fit || is_plain_name(pattern)))
        usage_error(concat("no kernel is called ", show(pattern), suggestion(pattern, names)));
  };
  check(filter.only, true);
  check(filter.include, false);
  check(filter.exclude, false);
}

std::vector<Candidate> choose_kernels(const Sweep& sweep, const KernelFilter& filter,
                                      const std::vector<Candidate>& all) {
  const std::vector<std::string> names = names_of(all, sweep.op);
  for (const std::string& pattern : sweep.kernels)
    if (!fits_some(pattern, names)) unknown_kernel(pattern, sweep.op, all);
  if (!sweep.baseline.empty() && std::ranges::find(names, sweep.baseline) == names.end())
    unknown_kernel(sweep.baseline, sweep.op, all);
  const std::vector<std::string>& wanted = filter.only.empty() ? sweep.kernels : filter.only;
  const std::set<std::string> passes = passes_of(sweep.axes);
  std::vector<Candidate> chosen;
  for (const Candidate& candidate : all) {
    if (!belongs(candidate, sweep.op) || !matches_any(wanted, candidate.name)) continue;
    if (!is_meant(candidate, filter.only.empty() ? sweep.kernels : std::vector<std::string>(), passes)) continue;
    if (!filter.include.empty() && !matches_any(filter.include, candidate.name)) continue;
    if (!matches_any(filter.exclude, candidate.name)) chosen.push_back(candidate);
  }
  return chosen;
}

}  // namespace bench::scaling
