// SPDX-License-Identifier: Apache-2.0
// The clauses of a sweep, parsed and checked once before any point is made: which names there are, in which
// order the lets are computed, which conditions drop a point. Used by scaling/axes only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "scaling/axes.hpp"
#include "scaling/expression.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {

struct Let {
  std::string name;
  Expression expression;
};

struct Condition {
  Expression expression;
  std::string clause;  // "where: <text>", the reason of a drop
  bool drops_when;     // the outcome that drops the point
};

struct Clauses {
  std::vector<Let> lets;              // each after the lets it uses
  std::vector<Condition> conditions;  // where, then except
  std::set<std::string> helpers;      // names that only expressions use: no parameters of the op
};

/// Parses and checks everything in `spec` that needs no point; the usage errors are those of expand().
Clauses parse_clauses(const AxisSpec& spec, const std::vector<std::string>& known_names);

/// Runs `work` and puts `place` before the text of any error it throws.
template <class Work>
auto with_place(const std::string& place, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Error(error.kind(), concat(place, ": ", error.what()));
  }
}

}  // namespace bench::scaling
