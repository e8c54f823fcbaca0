// SPDX-License-Identifier: Apache-2.0
// A study: what the user wants measured, as read from a YAML file with the command line laid over it.
//
//   schema_version: 1
//   name: quick
//   about: one line
//   run: {warmup: 3, min_samples: 32, max_samples: 256, ci: 0.02, confidence: 0.95, min_time: 0.05, budget: 2.0, visits: 1, seed: 42, order: shuffle}
//   sweeps:
//     - name: attention_width
//       op: attention
//       kernels: [attention/naive_cpu, "attention/sdpa_*_torch"]   # names or globs
//       baseline: attention/sdpa_math_torch
//       axes: {seq: 256..1024*2, causal: [true, false], width: [512, 768]}
//       zip: [{[batch, seq]: [[1, 4096], [4, 1024]]}]
//       let: {heads: width / head_dim}
//       where: ["seq * batch <= 4096"]
//       except: []
//       include: [{seq: 3000}]
//       fixed: {head_dim: 64}
//       scaling: {mode: strong, ranks: "1..2*2"}                    # or {mode: weak, by: flops, ranks: [1, 2, 4]}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scaling/axes.hpp"

namespace bench::scaling {

/// How each case is measured; the keys of `run:`. Times in seconds.
struct RunSettings {
  std::int64_t warmup = 3;          // untimed calls, at least
  std::int64_t min_samples = 32;
  std::int64_t max_samples = 256;
  double ci = 0.02;                 // stop when the interval's half width is below this share of the median
  double confidence = 0.95;
  double min_time = 0.05;           // s of timed calls, at least
  double budget = 2.0;              // s of timed calls per visit, at most
  std::int64_t visits = 1;          // independent visits to each case
  std::int64_t seed = 42;           // of the inputs and of the order
  std::string order = "shuffle";    // shuffle | given: order of the visits within a round
  std::string bind = "auto";        // auto: split the node's cores among its ranks; none: leave binding alone
};

struct ScalingSpec {
  std::string mode;                  // strong | weak
  std::string by;                    // weak only: batch | tokens | flops
  std::vector<std::int64_t> ranks;   // ascending
};

struct Sweep {
  std::string name;                  // unique in the study; "sweep1" ... when not given
  std::string op;
  std::vector<std::string> kernels;  // names or globs as written
  std::string baseline;
  AxisSpec axes;
  std::optional<ScalingSpec> scaling;
};

struct Study {
  std::string name;
  std::string about;
  RunSettings run;
  std::vector<Sweep> sweeps;
};

/// Overrides from the command line: "seq" -> "128..1024*2" replaces that axis in every sweep whose op has the parameter.
struct StudyOverrides {
  std::vector<std::pair<std::string, std::string>> axes;  // parameter name, range text
  std::vector<std::string> kernels;                       // non-empty: only these names or globs
  std::vector<std::string> include, exclude;              // globs over kernel names; exclude wins
  std::string baseline;
  std::optional<ScalingSpec> scaling;                     // laid over every sweep of a collective kernel
};

/// Parses study text. Errors are usage errors with `origin`:line:column and, for an unknown key, the nearest known one.
Study parse_study(const std::string& text, const std::string& origin);
/// A built-in name (smoke, quick, full: files in `studies_dir`) or a path. Unknown: a usage error that lists the built-ins.
Study load_study(const std::string& name_or_path, const std::string& studies_dir);
void apply_overrides(Study& study, const StudyOverrides& overrides);
/// The study as YAML that parse_study reads back to the same thing (config.resolved.yaml).
std::string to_yaml(const Study& study);

}  // namespace bench::scaling
