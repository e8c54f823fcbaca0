// SPDX-License-Identifier: Apache-2.0
// The parameters of an op as the planner sees them: its own and the common ones, in one list.
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.hpp"

namespace bench::scaling {

/// The registered op of that name; a usage error with the nearest name when there is none.
const Op& require_op(const std::string& name);

/// How a case is measured, where a study makes an axis of it. A case has them only when its sweep sets them; then they are part of its
/// identity like any other parameter:
///   cache = hot | cold: data stays in the caches between calls (the default), or every sample starts from memory;
///   graph = true: the call of a device's kernel is captured once and replayed (a CUDA graph), instead of queued launch by launch (false: the
///     plain case, which does not have the parameter);
///   link = mpi | mpi-shm | nccl: how its ranks reach each other, by messages (the default), by memory that the ranks of one node share, or from
///     device to device. Never in one curve: the second is not message passing, the third is of other kernels. The default, and a case of one rank,
///     do not have the parameter;
///   replicas = so many ranks run a copy of the one-rank case each, at the same time: the throughput of a machine (a case with one
///     replica is the plain case and does not have the parameter);
///   warmup = exactly so many untimed calls, and nothing cut from the samples after them.
const std::vector<ParamSpec>& protocol_params();

/// The op's own parameters, then ranks, threads, dtype and pass.
std::vector<ParamSpec> all_params(const Op& op);
/// Names of all_params, then those of protocol_params.
std::vector<std::string> param_names(const Op& op);

/// Usage error when `name` is a parameter and `value` is not of its type or, for one of protocol_params, not allowed. Other names may hold
/// anything.
void check_type(const Op& op, const std::string& name, const Value& value);

/// How many ranks run a copy of the case; 1 when the parameter is absent.
std::int64_t replicas_of(const Params& params);

/// Whether a kernel computes on a device, and so is held against the device's limits: by its backend, or by its name where the program does not
/// have it (any more).
bool is_on_device(const std::string& kernel);

/// The link that the case's ranks use; "mpi" when the parameter is absent.
std::string link_of(const Params& params);
/// What of a case's call is timed.
enum class Part : std::uint8_t { whole, compute, exchange };
/// whole when the parameter is absent.
Part part_of(const Params& params);
/// graph = true: the timed calls are replays of a captured one.
bool is_graph(const Params& params);
/// cache = cold: the data of a sample lie in no cache when it starts.
bool is_cold(const Params& params);

/// The parameters that say what is computed, as one text: without ranks, threads, layout, cache, graph, link, part, replicas and warmup, which say how it is done or
/// measured; ranks stay where an op's data are the ranks'. Cases with equal keys have the same answer.
std::string problem_key(const std::string& op, const Params& params);

/// "batch=1, seq=256": a point for an error message.
std::string describe(const Params& point);

}  // namespace bench::scaling
