// SPDX-License-Identifier: Apache-2.0
// A visit in synthetic time: toy kernels that take scripted seconds, ranks as threads whose messages carry the time.
#pragma once

#include <functional>
#include <vector>

#include "jobs/harness.hpp"
#include "jobs/timing/synthetic.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/jobs/toy_kernels.hpp"

namespace bench::jobs {

/// 32 to 256 samples, nothing about waiting.
inline scaling::RunSettings synthetic_settings() {
  return {.warmup = 2, .warmup_time = 0.0, .min_samples = 32, .max_samples = 256, .ci = 0.02, .min_time = 0.0, .budget = 1e6};
}

/// What one rank is like. The default: a true clock, calls of exactly 1 ms.
struct RankScript {
  SyntheticClock::Skew clock{};
  Script work{};
  std::function<double(std::int64_t call)> extra{};  // seconds on top of call 0, 1, 2, ...: hiccups at will
};

constexpr double kLatency_s = 2e-6;  // of a message; a shared-memory link takes about that

/// Visits toy/right on one rank per script and returns rank 0's record.
inline analysis::VisitRecord synthetic_visit(const std::vector<RankScript>& scripts, scaling::Case c,
                                             const scaling::RunSettings& settings = synthetic_settings()) {
  analysis::VisitRecord first;
  comm::run_on_threads(static_cast<int>(scripts.size()), [&](Link& inner) {
    const RankScript& script = scripts[static_cast<std::size_t>(inner.rank())];
    SyntheticClock clock(25e-9, script.clock);
    SyntheticLink link(inner, clock, kLatency_s);
    toy::set_work([&clock, &script, next = scripted_durations(script.work), call = std::int64_t{0}]() mutable {
      clock.advance(next() + (script.extra ? script.extra(call) : 0.0));
      ++call;
    });
    Harness harness(settings, {clock, 0, {}});
    auto record = harness.visit(c, link);
    toy::set_work({});
    if (link.rank() == 0) first = std::move(record);
  });
  return first;
}
inline analysis::VisitRecord synthetic_visit(const std::vector<RankScript>& scripts, const scaling::RunSettings& settings = synthetic_settings()) {
  return synthetic_visit(scripts, toy::make_case("toy/right", static_cast<std::int64_t>(scripts.size())), settings);
}

}  // namespace bench::jobs
