// SPDX-License-Identifier: Apache-2.0
// From the axes of a sweep to its points.
//
// Clauses work in one fixed order, whatever the order they were written in:
//   1. the product of the axes, then the zips, in the order declared, the last varying fastest, each laid
//   over `fixed`;
//   2. `let` adds derived values, each after the ones it uses;
//   3. `where` keeps a point when all its conditions hold, `except` drops it when any holds; a dropped point
//   is returned with the reason;
//   4. `include` adds points that no condition filters: whoever names a point wants it;
//   5. equal points merge into the first.
// All conditions are evaluated on every point, so their order changes neither the points nor whether an
// evaluation fails.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/core/params.hpp"

namespace bench::scaling {

struct Axis {
  std::string name;
  std::vector<Value> values;  // at least one
};

struct AxisSpec {
  /// Names that move together: each tuple holds one value per name.
  struct Zip {
    std::vector<std::string> names;
    std::vector<std::vector<Value>> tuples;  // at least one
  };

  std::vector<Axis> axes{};
  std::vector<Zip> zips{};
  std::vector<std::pair<std::string, std::string>> lets{};  // name, expression
  std::vector<std::string> where{};                         // keep when all hold
  std::vector<std::string> except{};                        // drop when any holds
  /// Single points: what they do not say comes from `fixed`, the first value of each axis and the first tuple
  /// of each zip; a let they do say is not computed. When there is neither axis nor zip they are the whole
  /// sweep, otherwise they add to it.
  std::vector<Params> include{};
  Params fixed{};  // underneath everything: axes, zips and lets replace its values
};

struct Expansion {
  struct Dropped {
    Params point;
    std::string reason;  // the clauses that dropped it, "where: ..." or "except: ...", joined by "; "
  };
  std::vector<Params> points;
  std::vector<Dropped> dropped;  // no point of `points` is in here
};

/// Most points one sweep may expand to, before any is dropped: about 1 GB of them.
inline constexpr std::int64_t kMaxPoints = 1'000'000;

/// `known_names` are the parameters of the op. Another name may be an axis, a let, ... only as a helper: some
/// expression must use it, and it is taken out of the points again; an unused one is a usage error with the
/// nearest known name. An empty list switches this off. Further usage errors: an axis or zip without values,
/// a name defined by two clauses, tuples of another length than their names, a bad expression, a name in an
/// expression that nothing defines, a cycle among lets, an evaluation that fails (with the point), more than
/// `max_points` points.
Expansion expand(const AxisSpec& spec, const std::vector<std::string>& known_names,
                 std::int64_t max_points = kMaxPoints);

/// Number of points before conditions and merging, saturated at INT64_MAX. Needs no valid names or
/// expressions.
std::int64_t product_size(const AxisSpec& spec);

}  // namespace bench::scaling
