// SPDX-License-Identifier: Apache-2.0
// In which order a round visits the cases.
//
// `shuffle` permutes problems, not single cases: rivals on one problem, and one problem on several rank
// counts, stay next to each other in an order of their own. Drift of the machine (heat, clocks, neighbours)
// then hits those whose ratio is wanted alike, and the fp64 answer of a problem is worked out once for all of
// them. Every round draws anew. The permutation is a Fisher-Yates shuffle on the project's counter-based
// generator, so that each rank, library and compiler draws the same one; the standard library's shuffle does
// not promise that.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "scaling/case.hpp"

namespace bench::scaling {

/// A permutation of 0 .. count-1 drawn from the stream (seed, name).
std::vector<std::size_t> permutation(std::size_t count, std::uint64_t seed, std::string_view name);

/// The indices `chosen` into `cases` in the order of round `round`. `order` is "shuffle"; "abba", which walks
/// every other round backwards, so that a linear drift costs both ends of the list the same; or "given" to
/// keep them as they are.
std::vector<std::size_t> order_round(const std::vector<Case>& cases, const std::vector<std::size_t>& chosen,
                                     std::string_view order, std::int64_t seed, std::int64_t round);

}  // namespace bench::scaling
