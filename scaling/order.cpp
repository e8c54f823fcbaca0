// SPDX-License-Identifier: Apache-2.0
#include "scaling/order.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "scaling/parameters.hpp"
#include "src/core/rng.hpp"

namespace bench::scaling {

std::vector<std::size_t> permutation(std::size_t count, std::uint64_t seed, std::string_view name) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const CounterRng rng(seed, name);
  for (std::size_t i = count; i > 1; --i) {
    const auto j =
        static_cast<std::size_t>(rng.uniform(i) * static_cast<double>(i));  // < i, as uniform is below 1
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

std::vector<std::size_t> order_round(const std::vector<Case>& cases, const std::vector<std::size_t>& chosen,
                                     std::string_view order, std::int64_t seed, std::int64_t round) {
  if (order == "abba" && round % 2 == 1) return {chosen.rbegin(), chosen.rend()};
  if (order != "shuffle") return chosen;
  std::map<std::string, std::size_t> group_of;
  std::vector<std::vector<std::size_t>> groups;
  for (const std::size_t index : chosen) {
    const auto [it, fresh] = group_of.emplace(problem_key(cases[index].op, cases[index].params), groups.size());
    if (fresh) groups.emplace_back();
    groups[it->second].push_back(index);
  }
  const auto key = static_cast<std::uint64_t>(seed);
  std::vector<std::size_t> result;
  for (const std::size_t g : permutation(groups.size(), key, concat("order of problems, round ", round)))
    for (const std::size_t i :
         permutation(groups[g].size(), key, concat("order of rivals, round ", round, ", problem ", g)))
      result.push_back(groups[g][i]);
  return result;
}

}  // namespace bench::scaling
