// SPDX-License-Identifier: Apache-2.0
// The values of an axis in one short text.
//
//   a,b,c        a list; each item is a value of scaling/value.hpp or a range, and braces around the whole
//   are optional lo..hi*f     geometric: lo, lo*f, lo*f^2, ... while <= hi; lo >= 1, f >= 2 lo..hi+s
//   arithmetic: lo, lo+s, lo+2s, ... while <= hi; s >= 1 lo-hi*f      the same two with the dash of
//   llama-bench, for non-negative ends
//
// hi itself is a value only when the progression hits it: 1k..5k*2 is 1024, 2048, 4096.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/core/params.hpp"

namespace bench::scaling {

/// Most values one axis may have: a slip such as 0..1g+1 is an error, not a full memory.
inline constexpr std::size_t kMaxAxisValues = 1'000'000;

/// The values in the order written, repeats kept. Every fault is a usage error that quotes the text and says
/// what is allowed: an empty axis or item, hi < lo, f < 2, s < 1, lo < 1 in a geometric range, a number
/// beyond 63 bits, a range without a step, too many values.
std::vector<Value> parse_range(std::string_view text);

/// A list such that parse_range gives `values` back. An empty list is a usage error.
std::string format_range(const std::vector<Value>& values);

/// "seq=3000,ranks=3": the single point of an `include`. A name given twice, or not a name, is a usage error.
Params parse_point(std::string_view text);

}  // namespace bench::scaling
