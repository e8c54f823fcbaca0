// SPDX-License-Identifier: Apache-2.0
#include "scaling/weak.hpp"

#include <algorithm>
#include <cmath>

namespace bench::scaling {
namespace {

constexpr std::int64_t kTile = 64;  // a length off the tiles of the kernels would be charged to the scaling
constexpr std::int64_t kLargestExtent = std::int64_t{1} << 40;  // beyond any memory; keeps the products exact
constexpr double kBetweenOrders = 1.5;                          // linear below, quadratic above

std::int64_t times(std::int64_t value, std::int64_t factor, const std::string& name) {
  if (value > kLargestExtent / factor)
    usage_error(concat("weak scaling makes ", name, " = ", value, " * ", factor,
                       " too large; allowed: up to ", kLargestExtent));
  return value * factor;
}

std::int64_t times_root(std::int64_t value, std::int64_t p, const std::string& name) {
  times(value, p, name);
  const double exact = static_cast<double>(value) * std::sqrt(static_cast<double>(p));
  return std::max<std::int64_t>(1, std::llround(exact / static_cast<double>(kTile))) * kTile;
}

}  // namespace

double flops_order(const Op& op, const Params& params) {
  Params twice = params;
  twice["seq"] = times(get_int(params, "seq"), 2, "seq");
  const double once_flops = op.cost(*op.parse(params)).flops;
  const double twice_flops = op.cost(*op.parse(twice)).flops;
  return once_flops > 0.0 && twice_flops > 0.0 ? std::log2(twice_flops / once_flops) : 1.0;
}

Params at_ranks(const Op& op, const Params& base, const ScalingSpec& spec, std::int64_t p) {
  Params params = base;
  if (spec.mode == "throughput") {
    params["ranks"] = std::int64_t{1};
    params.erase("replicas");
    if (p > 1) params["replicas"] = p;
    return params;
  }
  params["ranks"] = p;
  if (spec.mode != "weak" || p == 1) return params;
  const std::string grows = spec.by == "batch" ? "batch" : "seq";
  const auto it = base.find(grows);
  if (it == base.end() || !std::holds_alternative<std::int64_t>(it->second))
    usage_error(
        concat("weak scaling by ", spec.by, " needs a parameter '", grows, "'; op '", op.name, "' has none"));
  const std::int64_t value = std::get<std::int64_t>(it->second);
  const bool by_root = spec.by == "flops" && flops_order(op, base) > kBetweenOrders;
  params[grows] = by_root ? times_root(value, p, grows) : times(value, p, grows);
  return params;
}

}  // namespace bench::scaling
