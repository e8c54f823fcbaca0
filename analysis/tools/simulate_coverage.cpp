// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "analysis/statistics/autocorrelation.hpp"
#include "analysis/statistics/intervals.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/stop.hpp"
#include "analysis/tools/simulations.hpp"

namespace bench::analysis::tools {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kTruth = 1.0;  // the median of every model below, in seconds

/// How times come about: each call gives the next one of a series.
using Times = std::function<double()>;
struct Model {
  const char* name;
  double cv, phi;
  std::function<Times(Noise&)> start;  // a new series
};

Times lognormal(Noise& noise, double cv) {
  return [&noise, cv] { return kTruth * std::exp(cv * noise.normal()); };
}

/// A floor and an exponential tail of standard deviation cv.
Times shifted_exponential(Noise& noise, double cv) {
  return [&noise, cv] { return kTruth + cv * (noise.exponential() - std::log(2.0)); };
}

/// Gaussian of standard deviation cv, neighbours correlated by phi; it begins in its stationary state.
Times autoregressive(Noise& noise, double cv, double phi) {
  return [&noise, cv, phi, state = noise.normal()]() mutable {
    const double now = kTruth + cv * state;
    state = phi * state + std::sqrt(1.0 - phi * phi) * noise.normal();
    return now;
  };
}

std::vector<Model> models() {
  std::vector<Model> all;
  for (const double cv : {0.02, 0.05})
    all.push_back({"lognormal", cv, 0.0, [cv](Noise& noise) { return lognormal(noise, cv); }});
  for (const double cv : {0.02, 0.05})
    all.push_back({"exponential", cv, 0.0, [cv](Noise& noise) { return shifted_exponential(noise, cv); }});
  for (const double phi : {0.0, 0.3, 0.6, 0.9})
    for (const double cv : {0.02, 0.05})
      all.push_back({"AR(1)", cv, phi, [=](Noise& noise) { return autoregressive(noise, cv, phi); }});
  return all;
}

bool holds_truth(const std::optional<Interval>& interval) {
  return interval && interval->lo <= kTruth && kTruth <= interval->hi;
}

struct Counts {
  std::int64_t converged = 0, covered = 0, covered_naively = 0, samples = 0;
};

/// The samples of one visit: looks at 32, 64, ..., 1024 until the rule stops. The rule's floor of 0.1 s is
/// met at the first.
StopReason take_samples(std::vector<double>& samples, const Times& next_time) {
  const StopRule rule;
  StopReason reason = StopReason::keep_going;
  while (reason == StopReason::keep_going) {
    for (std::int64_t batch = next_batch(samples.size(), 0.0, 0.0, rule); batch > 0; --batch)
      samples.push_back(next_time());
    reason = decide(samples, 0.0, rule);
  }
  return reason;
}

Counts run(const Model& model, Noise& noise, std::int64_t series) {
  Counts counts;
  for (std::int64_t i = 0; i < series; ++i) {
    std::vector<double> samples;
    const StopReason reason = take_samples(samples, model.start(noise));
    counts.samples += static_cast<std::int64_t>(samples.size());
    if (reason != StopReason::converged) continue;
    const std::vector<double> ascending = sorted(samples);
    ++counts.converged;
    counts.covered += holds_truth(median_interval(ascending, kConfidence, effective_tau(samples)));
    counts.covered_naively += holds_truth(median_interval(ascending, kConfidence));
  }
  return counts;
}

}  // namespace

TextTable coverage_table(const Study& study) {
  TextTable table{{{"times"},
                   {"cv %", true},
                   {"phi", true},
                   {"converged %", true},
                   {"mean n", true},
                   {"covered %", true},
                   {"if taken for independent %", true}},
                  {}};
  for (const Model& model : models()) {
    Noise noise(study.seed, fmt::format("coverage {} {} {}", model.name, model.cv, model.phi));
    const Counts counts = run(model, noise, study.trials);
    table.rows.push_back(
        {model.name, fmt::format("{:.0f}", 100.0 * model.cv), fmt::format("{:.1f}", model.phi),
         percent(counts.converged, study.trials),
         fmt::format("{:.0f}", static_cast<double>(counts.samples) / static_cast<double>(study.trials)),
         percent(counts.covered, counts.converged), percent(counts.covered_naively, counts.converged)});
  }
  return table;
}

}  // namespace bench::analysis::tools
