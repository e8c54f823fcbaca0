// SPDX-License-Identifier: Apache-2.0
#include "scaling/audit.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "scaling/estimate.hpp"
#include "scaling/order.hpp"

namespace bench::scaling {
namespace {

constexpr std::size_t kFewest = 8;
constexpr std::size_t kOneIn = 10;

const Case& case_at(const Plan& plan, std::int64_t index) {
  return plan.cases[static_cast<std::size_t>(index)];
}

}  // namespace

std::size_t audit_size(std::size_t packed) {
  return std::min(packed, std::max(kFewest, (packed + kOneIn - 1) / kOneIn));
}

std::vector<std::int64_t> audit_sample(const Plan& plan, std::span<const std::int64_t> packed,
                                       std::int64_t seed) {
  std::map<std::string, std::size_t> met;                   // kernel: cases drawn so far
  std::vector<std::pair<std::size_t, std::int64_t>> drawn;  // turn, case
  for (const std::size_t i : permutation(packed.size(), static_cast<std::uint64_t>(seed), "co-run audit"))
    drawn.emplace_back(met[case_at(plan, packed[i]).kernel]++, packed[i]);
  std::ranges::stable_sort(drawn, {}, &std::pair<std::size_t, std::int64_t>::first);
  std::vector<std::int64_t> sample;
  for (std::size_t i = 0; i < audit_size(packed.size()); ++i) sample.push_back(drawn[i].second);
  std::ranges::sort(sample);
  return sample;
}

std::vector<Task> solo_tasks(const Plan& plan, std::span<const std::int64_t> cases) {
  std::vector<Task> tasks;
  for (const std::int64_t index : cases) {
    const Case& c = case_at(plan, index);
    tasks.push_back({.case_index = index,
                     .visit = visits_to(c, plan.run),
                     .estimate_s = visit_estimate_s(c, plan.run),
                     .ranks = c.ranks,
                     .isolation = c.isolation});
  }
  std::ranges::stable_sort(tasks, std::ranges::greater{}, &Task::estimate_s);
  return tasks;
}

Contention contention(double lo, double hi) {
  if (hi < kLeastRatio || lo > kMostRatio) return Contention::contended;
  if (lo >= kLeastRatio && hi <= kMostRatio) return Contention::clean;
  return Contention::undecided;
}

}  // namespace bench::scaling
