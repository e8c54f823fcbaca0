// SPDX-License-Identifier: Apache-2.0
// A study: what the user wants measured, as read from a YAML file with the command line laid over it.
//
//   schema_version: 1
//   name: quick
//   about: one line
//   policy: criteria.yaml                                          # from the study's folder
//   filter: {only: [], include: [], exclude: ["*_torch"]}          # over the kernels of all sweeps
//   run: {warmup: 3, min_samples: 32, max_samples: 256, ci: 0.02, confidence: 0.95, min_time: 0.05,
//   budget: 2.0, visits: 1, seed: 42, order: shuffle} sweeps:
//     - name: attention_width
//       op: attention
//       kernels: [attention/naive_cpu, "attention/sdpa_*_torch"]   # names, globs or re:REGEX
//       baseline: attention/sdpa_math_torch
//       axes: {seq: 256..1024*2, causal: [true, false], width: [512, 768]}
//       zip: [{[batch, seq]: [[1, 4096], [4, 1024]]}]
//       let: {heads: width / head_dim}
//       where: ["seq * batch <= 4096"]
//       except: []
//       include: [{seq: 3000}]
//       fixed: {head_dim: 64}
//       scaling: {mode: strong, ranks: "1..2*2"}     # or {mode: weak:flops, ranks: [1, 2, 4], base: 1}
//       crossover: {against: scan_width, along: seq} # from which seq on is this sweep's best kernel faster than that one's?
//
// An axis is a range text or a list of values and ranges. The names are the parameters of the op and ranks,
// threads, dtype, pass; another name (width above) is a helper: some expression must use it, and it is no
// part of a case. Parameters that are not mentioned have their defaults, in expressions too. In a sweep with
// `scaling` the points are those of one rank, and `ranks` may not be set otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scaling/axes.hpp"

namespace bench::scaling {

/// How each case is measured; the keys of `run:`. Times in seconds.
struct RunSettings {
  std::int64_t warmup = 3;    // untimed calls, at least
  double warmup_time = 0.05;  // s of untimed calls, at least
  std::int64_t min_samples = 32;
  std::int64_t max_samples = 256;
  double ci = 0.02;  // stop when the interval's half width is below this share of the median
  double confidence = 0.95;
  double min_time = 0.05;         // s of timed calls, at least
  double budget = 2.0;            // s of timed calls per visit, at most
  std::int64_t visits = 1;        // independent visits to each case
  std::int64_t scaling_visits = 3;  // at least so many to a case of a scaling study: efficiency needs replication for its interval
  std::int64_t seed = 42;         // of the inputs and of the order
  std::string order = "auto";     // longest | shuffle | abba | given: order of the visits within a round (tasks.hpp);
                                  // auto: longest where visits can run side by side, else shuffle
  std::string placement = "packed";  // packed | solo | replicated: what runs beside a visit (dispatch.hpp)
  std::string isolation = "auto";    // auto: each case's own; node: every case has its nodes alone; none: none has
  std::string schedule = "dynamic";  // static: the simulated schedule, followed exactly
  std::string sync = "auto";      // window | barrier: how ranks start a sample; auto: window unless ranks share cores
  std::string bind = "auto";      // auto: split the node's cores among its ranks; none: leave binding alone
  std::string limits = "measure"; // the machine's rates, before and after the sweep; none: no case has a limit
  bool allow_shared_gpu = false;  // ranks of a case may share a device: they are checked and not timed (functional_only)
};

struct ScalingSpec {
  std::string mode;                 // strong | weak | throughput
  std::string by;                   // weak only: batch | tokens | flops
  std::vector<std::int64_t> ranks;  // ascending
  std::int64_t base = 0;  // rank count that efficiency is taken over; 0, or when it did not run: the smallest that did
};

/// A sweep held against another one, of the same op or another: where along a parameter that both have does the faster one change?
struct CrossoverSpec {
  std::string against;  // name of the other sweep
  std::string along;    // an integer parameter of both ops
};

struct Sweep {
  std::string name;  // unique in the study; "sweep1" ... when not given
  std::string op;
  std::vector<std::string> kernels;  // names or globs as written
  std::string baseline;
  AxisSpec axes;
  std::optional<ScalingSpec> scaling;
  std::optional<CrossoverSpec> crossover = {};
};

/// Laid over the kernels of every sweep; each entry is a name, a glob or `re:REGEX`.
struct KernelFilter {
  std::vector<std::string> only;  // non-empty: these instead of the sweeps' own lists, each where its op fits
  std::vector<std::string> include;  // non-empty: a kernel must match one of them
  std::vector<std::string> exclude;  // a kernel must match none of them; wins over the other two
};

struct Study {
  std::string name;
  std::string about;
  RunSettings run;
  KernelFilter filter;
  std::string policy;  // file with validation criteria (docs/gate.md), held against each sweep's baseline; empty: none
  std::vector<Sweep> sweeps;
};

/// Overrides from the command line: "seq" -> "128..1024*2" replaces whatever sets that name (axis, part of a
/// zip, let, fixed, include) in every sweep whose op has the parameter, or that has it as a helper; "ranks"
/// replaces the ranks of `scaling` where there is one.
struct StudyOverrides {
  std::vector<std::pair<std::string, std::string>> axes = {};  // parameter name, range text
  std::vector<std::string> kernels = {};                       // non-empty: KernelFilter::only
  std::vector<std::string> include = {}, exclude = {};         // KernelFilter's
  std::string baseline = {};                                   // for the sweeps of its op
  /// Laid over every sweep that has a kernel for it (throughput: any, else a collective one); ranks in any order.
  std::optional<ScalingSpec> scaling = {};
  std::optional<std::int64_t> base = {};  // ScalingSpec::base of every sweep that has a scaling
};

/// Parses study text (YAML, at most 1 MiB). Errors are usage errors with `origin`:line:column and, for an
/// unknown key, the nearest known one. Ops must be registered; kernel names are looked up later, by
/// make_cases.
Study parse_study(const std::string& text, const std::string& origin);
/// A built-in name (smoke, quick, full: files in `studies_dir`) or a path. Unknown: a usage error that lists
/// the built-ins.
Study load_study(const std::string& name_or_path, const std::string& studies_dir);
/// Lays the command line over the study. Usage errors name the parameter and, when no sweep has it, the
/// nearest one.
void apply_overrides(Study& study, const StudyOverrides& overrides);
/// Usage error naming the setting, its value and what is allowed. parse_study has called it; call it again
/// after changing settings.
void check_settings(const RunSettings& run);
/// The study as YAML that parse_study reads back to the same thing (config.resolved.yaml).
std::string to_yaml(const Study& study);

}  // namespace bench::scaling
