// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>
#include <string>

#include "jobs/clock.hpp"
#include "jobs/micro/micro.hpp"
#include "jobs/oracle_cache.hpp"
#include "jobs/team.hpp"
#include "kernels/inputs.hpp"
#include "scaling/parameters.hpp"
#include "src/comm/link_self.hpp"
#include "src/comm/link_threads.hpp"

namespace bench::jobs::micro {
namespace {

constexpr std::uint64_t kSeed = 42;
constexpr std::int64_t kRanksTogether = 2;  // the fewest that have to talk

// What an op's defaults are shrunk to where it has such a parameter: its data stays in a core's second-level
// cache and a call takes some tens of microseconds, so that the whole list is done in a minute.
const std::map<std::string, std::int64_t> kSmall{{"seq", 256}, {"heads", 2}, {"channels", 64}, {"in_features", 256}, {"out_features", 256}};

struct Subject {
  const Kernel& kernel;
  const Op& op;
  Params params;
  std::shared_ptr<Tally> tally;
};

Params small_problem(const Op& op, const Kernel& kernel, DType dtype, const std::string& pass) {
  Params params = default_params(op);
  for (const auto& [name, value] : kSmall)
    if (params.count(name) != 0) params[name] = value;
  for (const auto& [name, value] : kernel.example) params[name] = value;
  params["dtype"] = std::string(to_text(dtype));
  params["pass"] = pass;
  params["ranks"] = kernel.collective ? kRanksTogether : std::int64_t{1};
  return params;
}

/// One rank's data, made as the harness makes it.
class Rank {
 public:
  Rank(const Subject& subject, Link& link)
      : subject_(subject),
        problem_(subject.op.parse(subject.params)),
        positions_(positions_of(subject.op, *problem_, link.rank())) {
    for (const TensorSpec& spec : subject.op.inputs(*problem_)) {
      Tensor& share = tensors_.add(spec.name, Tensor(spec.dtype, share_of(spec, positions_)));
      fill_share(share, spec, positions_, kSeed);
    }
    for (const TensorSpec& spec : subject.op.outputs(*problem_))
      poison(tensors_.add(spec.name, Tensor(spec.dtype, share_of(spec, positions_))));
    const Kernel& kernel = subject.kernel;
    const std::int64_t bytes = kernel.workspace_bytes != nullptr ? kernel.workspace_bytes(*problem_) : 0;
    workspace_ = Tensor(DType::f64, {(bytes + 7) / 8});
    context_.link = &link;
    context_.workspace = {workspace_.data(), static_cast<std::size_t>(bytes)};
    if (kernel.prepare != nullptr) prepared_ = kernel.prepare(*problem_, tensors_, context_);
    context_.prepared = prepared_.get();
  }

  void run() { subject_.kernel.run(*problem_, tensors_, context_); }

  /// Empty when every output lies within its tolerance on this rank, else which one does not and by how much.
  std::string check(const Expected& expected) const {
    for (const Deviation& d :
         compare(subject_.op, *problem_, subject_.kernel, tensors_, positions_, expected))
      if (!d.ok())
        return concat("wrong result: ", d.output, ": error ", d.error, ", tolerance ", d.tolerance,
                      ", not finite ", d.not_finite);
    return {};
  }

 private:
  const Subject& subject_;
  std::unique_ptr<Problem> problem_;
  std::vector<std::int64_t> positions_;
  Tensors tensors_;
  Tensor workspace_;
  std::unique_ptr<Prepared> prepared_;
  Context context_;
};

/// The slowest rank's seconds of one call that all ranks start together.
double timed_call(Rank& rank, Link& link, const Clock& clock) {
  link.barrier();
  const double begin = clock();
  rank.run();
  const auto seconds = all_of(link, clock() - begin);
  return *std::ranges::max_element(seconds);
}

/// What every rank does; rank 0 alone holds the library's loop and tells the others when it is over.
void play(const Subject& subject, const Expected& expected, Link& link, benchmark::State& state) {
  Rank rank(subject, link);
  rank.run();
  const std::string fault = rank.check(expected);
  if (!everyone(link, fault.empty())) {
    if (!fault.empty()) throw Error(ErrorKind::internal, fault);
    return;
  }
  const Clock clock = steady_clock();
  timed_call(rank, link, clock);  // the first call after the check finds the caches full of the oracle's rows
  const bool leads = link.rank() == 0;
  while (from_root(link, leads && state.KeepRunning() ? 1 : 0) != 0) {
    const double seconds = timed_call(rank, link, clock);
    if (leads) state.SetIterationTime(seconds);
  }
}

void benchmark_kernel(benchmark::State& state, const Subject& subject, OracleCache& oracle) {
  const auto problem = subject.op.parse(subject.params);
  if (const std::string reason = supports_case(subject.kernel, *problem); !reason.empty()) {
    state.SkipWithError(reason.c_str());
    return;
  }
  try {
    const Expected& expected = oracle.get(subject.op, *problem, subject.params, kSeed);
    const auto body = [&](Link& link) { play(subject, expected, link, state); };
    if (problem->ranks == 1) {
      comm::LinkSelf alone;
      body(alone);
    } else {
      comm::run_on_threads(static_cast<int>(problem->ranks), body);
    }
  } catch (const std::exception& error) {
    ++subject.tally->failed;
    state.SkipWithError(error.what());
    return;
  }
  const Cost cost = subject.op.cost(*problem);
  constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["flops_per_s"] = benchmark::Counter(cost.flops, kRate);
  state.counters["bytes_per_s"] = benchmark::Counter(cost.bytes, kRate);
}

}  // namespace

void register_kernels(const std::shared_ptr<Tally>& tally) {
  const auto oracle = std::make_shared<OracleCache>();
  for (const Kernel* kernel : Registry<Kernel>::instance().all()) {
    if (kernel->backend != Backend::cpu && kernel->backend != Backend::torch) continue;  // the host's clock sees only their launch
    const Op& op = scaling::require_op(kernel->op);
    for (const DType dtype : kernel->dtypes)
      for (const std::string& pass : kernel->passes) {
        const Subject subject{*kernel, op, small_problem(op, *kernel, dtype, pass), tally};
        const std::string name =
            concat(kernel->name, '/', to_text(dtype), '/', pass, "/ranks:", get_int(subject.params, "ranks"));
        benchmark::RegisterBenchmark(
            name.c_str(),
            [subject, oracle](benchmark::State& state) { benchmark_kernel(state, subject, *oracle); })
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
  }
}

}  // namespace bench::jobs::micro
