// SPDX-License-Identifier: Apache-2.0
// parse_criteria: the block `criteria:`.
#include "analysis/compare/policy.hpp"
#include "analysis/compare/yaml_fields.hpp"
#include "scaling/value.hpp"
#include "src/core/dtype.hpp"

namespace bench::analysis {
namespace {

using scaling::YamlCursor;

constexpr Range kShare{0.0, 100.0};
constexpr Range kRatio{1e-6, 1e6};
constexpr Range kError{0.0, 1e6};
constexpr Range kNorm{0.0, 1e300};

/// `default`, one number, or a mapping from dtype to number.
ErrorLimits read_error_limits(const YamlCursor& at) {
  if (at.is_text() && at.text() == "default") return default_error_limits();
  ErrorLimits limits;
  if (!at.is_mapping()) {
    limits.any = read_number(at, kError);
    return limits;
  }
  for (const auto& [key, value] : at.entries()) {
    const DType dtype = key.here([&key = key] { return parse_dtype(key.text()); });
    if (!limits.by_dtype.emplace(to_text(dtype), read_number(value, kError)).second)
      key.fail(concat(scaling::show(key.text()), " names a dtype that stands above already"));
  }
  if (limits.by_dtype.empty())
    at.fail(concat(at.path(), " is empty; it has to hold a dtype, as in {fp32: 1e-5}"));
  return limits;
}

NormBounds read_norm(const YamlCursor& at) {
  at.allow_keys({"min", "max"});
  NormBounds bounds;
  if (const auto min = at.find("min")) bounds.min = read_number(*min, kNorm);
  if (const auto max = at.find("max")) bounds.max = read_number(*max, kNorm);
  if (!bounds.min && !bounds.max) at.fail(concat(at.path(), " has neither min nor max"));
  if (bounds.min && bounds.max && *bounds.min > *bounds.max)
    at.fail(concat(at.path(), " has min ", *bounds.min, " above max ", *bounds.max));
  return bounds;
}

}  // namespace

Criteria parse_criteria(const YamlCursor& at) {
  at.allow_keys({"min_speedup", "max_memory_increase", "max_abs_diff", "max_perplexity_increase",
                 "max_convergence_ratio", "gradient_norm"});
  const auto number = [&](const char* key, const Range& range) {
    const auto value = at.find(key);
    return value ? std::optional(read_number(*value, range)) : std::nullopt;
  };
  Criteria criteria;
  criteria.min_speedup = number("min_speedup", kRatio);
  criteria.max_memory_increase = number("max_memory_increase", kShare);
  criteria.max_perplexity_increase = number("max_perplexity_increase", kShare);
  criteria.max_convergence_ratio = number("max_convergence_ratio", kRatio);
  if (const auto limits = at.find("max_abs_diff")) criteria.max_abs_diff = read_error_limits(*limits);
  if (const auto norm = at.find("gradient_norm")) criteria.gradient_norm = read_norm(*norm);
  return criteria;
}

}  // namespace bench::analysis
