// SPDX-License-Identifier: Apache-2.0
#include "analysis/bus_bandwidth.hpp"

#include "analysis/case_parameters.hpp"
#include "kernels/collective/operation.hpp"
#include "src/core/dtype.hpp"

namespace bench::analysis {

std::optional<BusBandwidth> bus_bandwidth(const scaling::Case& c, double time_s) {
  const auto operation = collective::find_operation(text_of(c.params, "operation", ""));
  const std::int64_t ranks = int_of(c.params, "ranks", 1);
  if (c.op != "collective" || !operation || ranks < 2 || !(time_s > 0.0)) return std::nullopt;
  const std::int64_t element = size_of(parse_dtype(text_of(c.params, "dtype", "fp32")));
  const double algbw = static_cast<double>(collective::counted_bytes(*operation, int_of(c.params, "message_bytes", 0), element, ranks)) / time_s;
  return BusBandwidth{algbw, algbw * collective::bus_factor(*operation, ranks)};
}

}  // namespace bench::analysis
