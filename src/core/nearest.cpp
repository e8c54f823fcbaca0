// SPDX-License-Identifier: Apache-2.0
#include "src/core/nearest.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t columns = b.size() + 2, beyond = a.size() + b.size();
  // d(i+1, j+1) is the distance of the first i letters of a from the first j of b; row and column 0 are a
  // wall of `beyond`.
  std::vector<std::size_t> table((a.size() + 2) * columns, beyond);
  const auto d = [&](std::size_t i, std::size_t j) -> std::size_t& { return table[i * columns + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) d(i + 1, 1) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d(1, j + 1) = j;
  std::array<std::size_t, 256> last_row{};  // per letter: the last row of a that held it
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t last_match = 0;  // last column of this row whose letters were equal
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t swap_i = last_row[static_cast<unsigned char>(b[j - 1])], swap_j = last_match;
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      if (change == 0) last_match = j;
      const std::size_t swapped = d(swap_i, swap_j) + (i - swap_i - 1) + 1 + (j - swap_j - 1);
      d(i + 1, j + 1) = std::min({d(i, j) + change, d(i + 1, j) + 1, d(i, j + 1) + 1, swapped});
    }
    last_row[static_cast<unsigned char>(a[i - 1])] = i;
  }
  return d(a.size() + 1, b.size() + 1);
}

std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string wanted = lower_case(word);
  const std::size_t limit = std::max<std::size_t>(2, word.size() / 3);
  std::optional<std::string> best;
  std::size_t best_distance = limit + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(candidate.size(), word.size());
    if (longer - std::min(candidate.size(), word.size()) > limit) continue;
    const std::size_t distance = edit_distance(wanted, lower_case(candidate));
    if (distance > limit || distance >= longer) continue;
    if (distance < best_distance || (distance == best_distance && best && candidate < *best)) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, std::vector<std::string> candidates) {
  constexpr std::size_t kMostListed = 12;
  if (candidates.empty()) return "";
  if (const auto near = nearest_name(word, candidates)) return "; did you mean '" + *near + "'?";
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  std::string list;
  for (std::size_t i = 0; i < std::min(candidates.size(), kMostListed); ++i)
    list += (i == 0 ? "" : ", ") + candidates[i];
  return "; known: " + list + (candidates.size() > kMostListed ? ", ..." : "");
}

}  // namespace bench
