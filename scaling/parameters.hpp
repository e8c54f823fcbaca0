// SPDX-License-Identifier: Apache-2.0
// The parameters of an op as the planner sees them: its own and the common ones, in one list.
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.hpp"

namespace bench::scaling {

/// The registered op of that name; a usage error with the nearest name when there is none.
const Op& require_op(const std::string& name);

/// The op's own parameters, then ranks, threads, dtype and pass.
std::vector<ParamSpec> all_params(const Op& op);
std::vector<std::string> param_names(const Op& op);
/// Every parameter at its default.
Params default_params(const Op& op);

/// Usage error when `name` is a parameter of the op and `value` is not of its type. Other names may hold
/// anything.
void check_type(const Op& op, const std::string& name, const Value& value);

/// "batch=1, seq=256": a point for an error message.
std::string describe(const Params& point);

}  // namespace bench::scaling
