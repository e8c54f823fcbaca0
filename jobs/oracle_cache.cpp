// SPDX-License-Identifier: Apache-2.0
#include "jobs/oracle_cache.hpp"

#include <algorithm>

#include "scaling/parameters.hpp"

namespace bench::jobs {
namespace {

// What the reference may spend on one problem: a few tenths of a second of scalar arithmetic.
constexpr double kOracleOps = 4e8;
// Answers kept per rank: several problems of the largest built-in sizes, and little beside what a case itself takes.
constexpr std::int64_t kBytes = std::int64_t{512} << 20;

}  // namespace

const Expected& OracleCache::get(const Op& op, const Problem& problem, const Params& params, std::uint64_t seed) {
  const std::string key = concat(seed, ' ', scaling::problem_key(op.name, params));
  const auto known = std::ranges::find_if(answers_, [&](const auto& answer) { return answer.first == key; });
  if (known != answers_.end()) {
    answers_.splice(answers_.begin(), answers_, known);
    return answers_.front().second;
  }
  answers_.emplace_front(key, expect(op, problem, seed, kOracleOps));
  std::int64_t bytes = 0;
  for (auto it = answers_.begin(); it != answers_.end();) {
    bytes += it->second.outputs.bytes();
    it = bytes > kBytes && it != answers_.begin() ? answers_.erase(it) : std::next(it);
  }
  return answers_.front().second;
}

}  // namespace bench::jobs
