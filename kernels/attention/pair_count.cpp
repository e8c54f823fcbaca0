// SPDX-License-Identifier: Apache-2.0
// How many pairs of a query and a key there are, in closed form: what a row sees begins and ends at its place plus a constant, clamped to the keys
// there are, so a sum over rows is a difference of triangles.
#include <algorithm>

#include "kernels/attention/attention.hpp"

namespace bench::attention {
namespace {

/// sum of x, at least 0 and at most `most`, over x = first .. first + count - 1.
double clamped_sum(std::int64_t first, std::int64_t count, std::int64_t most) {
  const auto below = [m = static_cast<double>(most)](std::int64_t end) {  // from 0 to end - 1
    const double n = static_cast<double>(std::max(end, std::int64_t{0}));
    return n <= m + 1.0 ? n * (n - 1.0) / 2.0 : m * (m + 1.0) / 2.0 + (n - 1.0 - m) * m;
  };
  return below(first + count) - below(first);
}

/// Pairs of one head of a sequence of so many rows, the first of which stands at key `at`: over all rows the end of
/// what a row sees, less where it begins.
double pairs_of(const AttentionProblem& p, std::int64_t rows, std::int64_t at, std::int64_t keys) {
  const std::int64_t window = std::min(p.window, p.seq + p.kv_length());  // a longer one hides nothing, either
  const double begins = window > 0 ? clamped_sum(at - window + 1, rows, keys) : 0.0;
  if (p.causal) return clamped_sum(at + 1, rows, keys) - begins;
  if (window > 0) return clamped_sum(at + window, rows, keys) - begins;
  return static_cast<double>(rows) * static_cast<double>(keys);
}

/// Pairs of one head of a batch entry with so many keys, the packed sequences one by one.
double pairs_of(const AttentionProblem& p, std::int64_t keys) {
  if (p.starts.empty()) return pairs_of(p, p.seq, p.kv_length() - p.seq, keys);
  double sum = 0.0;
  for (KeyRange own{}; own.end < p.seq;) {
    own = p.sequence_at(own.end);
    sum += pairs_of(p, own.size(), 0, std::clamp(keys - own.first, std::int64_t{0}, own.size()));
  }
  return sum;
}

}  // namespace

double pair_count(const AttentionProblem& problem) {
  if (problem.key_lengths.empty()) return pairs_of(problem, problem.kv_length());
  double sum = 0.0;
  for (const std::int64_t keys : problem.key_lengths) sum += pairs_of(problem, keys);
  return sum / static_cast<double>(problem.batch);
}

}  // namespace bench::attention
