// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known name closest to a mistyped one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// Fewest insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`, each unit cost
/// 1: the unrestricted Damerau-Levenshtein distance (Lowrance and Wagner, "An extension of the
/// string-to-string correction problem", JACM 1975).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate at the smallest distance from `word`, letter case ignored; the bytewise first of equals.
/// Nothing when the distance is above max(2, length of word / 3), or so large that the two share no letter.
std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& candidates);

/// The end of an error message: "; did you mean 'seq'?" or, when nothing is near, "; known: batch, seq"
/// (sorted, at most 12 of them). Empty when there is no candidate.
std::string suggestion(std::string_view word, std::vector<std::string> candidates);

}  // namespace bench
