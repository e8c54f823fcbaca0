// SPDX-License-Identifier: Apache-2.0
// The oracle's answers, kept between rivals on one problem and between visits: the fp64 reference costs more than most kernels.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <utility>

#include "kernels/oracle.hpp"

namespace bench::jobs {

class OracleCache {
 public:
  /// The answer for a problem; ranks, threads and layout say how it is done, not what, and do not count. The reference stays valid until
  /// the next call. At most kBytes of answers are kept, the latest used first.
  const Expected& get(const Op& op, const Problem& problem, const Params& params, std::uint64_t seed);

 private:
  std::list<std::pair<std::string, Expected>> answers_;  // latest used first
};

}  // namespace bench::jobs
