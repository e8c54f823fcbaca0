// SPDX-License-Identifier: Apache-2.0
// Scaling runs made by hand: times are what the caller says, so every figure that follows can be worked with
// a pencil.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "analysis/record.hpp"
#include "analysis/sample_times.hpp"

namespace bench::analysis {

/// Ranks and the seconds of every sample on all of them.
using RankTimes = std::vector<std::pair<std::int64_t, double>>;

inline double pairs_of(std::int64_t seq) {
  return static_cast<double>(seq * (seq + 1)) / 2.0;
}

/// Adds one visit of 10 equal samples: their interval is a point.
inline void add_case(RunRecord& run, scaling::Case c, double time_s) {
  VisitRecord visit{.case_id = c.id, .ranks = c.ranks, .stop_reason = "converged"};
  visit.rank_time_s.assign(static_cast<std::size_t>(10 * c.ranks), time_s);
  visit.wire_bytes = c.ranks > 1 ? 6144 : 0;
  run.cases.push_back(std::move(c));
  run.visits.push_back(std::move(visit));
}

/// Causal attention of two heads of 8 by a ring; FLOPs as the op counts them.
inline void add_ring_case(RunRecord& run, const std::string& layout, std::int64_t ranks, std::int64_t seq,
                          double time_s, std::vector<scaling::ScalingTag> tags = {}) {
  scaling::Case c;
  c.id = concat("ring-", layout, '-', ranks, '-', seq);
  c.op = "attention";
  c.kernel = "attention/ring_cpu";
  c.ranks = ranks;
  c.params = {{"batch", std::int64_t{1}},
              {"heads", std::int64_t{2}},
              {"kv_heads", std::int64_t{0}},
              {"seq", seq},
              {"head_dim", std::int64_t{8}},
              {"causal", true},
              {"layout", layout},
              {"ranks", ranks},
              {"threads", std::int64_t{1}},
              {"dtype", std::string("fp32")},
              {"pass", std::string("fwd")}};
  c.cost.flops = 4.0 * 2.0 * 8.0 * pairs_of(seq);
  c.scaling = std::move(tags);
  add_case(run, std::move(c), time_s);
}

/// A strong study of 64 tokens.
inline RunRecord ring_run(const std::string& layout, const RankTimes& times) {
  RunRecord run;
  run.study = "s";
  for (const auto& [ranks, time_s] : times)
    add_ring_case(run, layout, ranks, 64, time_s, {{"s/strong", "strong", "", "curve"}});
  return run;
}

/// A strong study of a selective scan, whose carry has 4 bytes.
inline RunRecord scan_run(const RankTimes& times) {
  RunRecord run;
  for (const auto& [ranks, time_s] : times) {
    scaling::Case c;
    c.id = concat("scan-", ranks);
    c.op = "selective";
    c.kernel = "scan/selective_ranks_cpu";
    c.ranks = ranks;
    c.params = {{"batch", std::int64_t{1}},
                {"seq", std::int64_t{64}},
                {"ranks", ranks},
                {"pass", std::string("fwd")}};
    c.cost = {.flops = 640.0, .bytes = 0.0, .exps = 0.0, .wire_bytes = ranks > 1 ? 4.0 : 0.0};
    c.scaling = {{"s/strong", "strong", "", "curve"}};
    add_case(run, std::move(c), time_s);
  }
  return run;
}

/// A strong study of the selective scan's backward pass with the cost of its op: B 2, C 4, N 2, fp32.
inline RunRecord scan_back_run(const RankTimes& times) {
  RunRecord run = scan_run(times);
  for (scaling::Case& c : run.cases) {
    c.kernel = "scan/selective_ranks_bwd_cpu";
    c.params["pass"] = std::string("bwd");
    c.params["batch"] = std::int64_t{2};
    c.params["state"] = std::int64_t{2};
    c.cost.wire_bytes = c.ranks > 1 ? 4.0 * 4.0 * (2.0 * 2.0 * 2.0 + 2.0 + 2.0) : 0.0;
  }
  return run;
}

/// A throughput study: copies of one case, each of 100 FLOPs.
inline RunRecord replica_run(const RankTimes& times) {
  RunRecord run;
  for (const auto& [ranks, time_s] : times) {
    scaling::Case c;
    c.id = concat("copies-", ranks);
    c.op = "attention";
    c.kernel = "attention/flash_tiled_cpu";
    c.ranks = ranks;
    c.params = {{"batch", std::int64_t{1}}, {"seq", std::int64_t{64}}, {"ranks", std::int64_t{1}}};
    if (ranks > 1) c.params["replicas"] = ranks;
    c.cost.flops = 100.0 * static_cast<double>(ranks);
    c.scaling = {{"s/throughput", "throughput", "", "curve"}};
    add_case(run, std::move(c), time_s);
  }
  return run;
}

}  // namespace bench::analysis
