// SPDX-License-Identifier: Apache-2.0
// make_cases: sweeps -> points -> cases, merged by identity.
#include <algorithm>
#include <map>

#include "scaling/catalogue.hpp"
#include "scaling/clauses.hpp"
#include "scaling/feasibility.hpp"
#include "scaling/identity.hpp"
#include "scaling/parameters.hpp"
#include "scaling/plan.hpp"
#include "scaling/sweep.hpp"
#include "scaling/weak.hpp"

namespace bench::scaling {
namespace {

// About 2 KB each in memory, and a month of measuring at ten seconds a case.
constexpr std::size_t kMostCases = 250'000;

std::string identity_of(Params params, const std::string& op, const std::string& kernel) {
  params["op"] = op;
  params["kernel"] = kernel;
  return case_id(params);
}

/// Cases by identity, in the order in which they were first met.
class CaseList {
 public:
  /// `dropped`: a clause of the sweep took it out. A sweep that wants the case overrules one that dropped it.
  void add(Case c, bool dropped) {
    const auto [it, fresh] = index_.emplace(c.id, cases_.size());
    if (fresh) {
      if (cases_.size() == kMostCases)
        usage_error(concat("the study has more than ", kMostCases, " cases; split it"));
      cases_.push_back(std::move(c));
      dropped_.push_back(dropped);
      return;
    }
    Case& have = cases_[it->second];
    if (dropped_[it->second] && !dropped) {
      std::swap(have, c);
      dropped_[it->second] = false;
    }
    join(have.sweeps, c.sweeps);
    join(have.scaling, c.scaling);
    join(have.crossovers, c.crossovers);
    if (have.baseline.empty()) have.baseline = c.baseline;
  }
  std::vector<Case> take() { return std::move(cases_); }

 private:
  template <class T>
  static void join(std::vector<T>& list, const std::vector<T>& more) {
    for (const T& item : more)
      if (std::ranges::find(list, item) == list.end()) list.push_back(item);
  }

  std::vector<Case> cases_;
  std::vector<bool> dropped_;
  std::map<std::string, std::size_t> index_;
};

/// Turns the points of one sweep into cases.
class SweepCases {
 public:
  SweepCases(const Study& study, const Sweep& sweep, std::vector<Candidate> kernels, const Machine& machine,
             CaseList& list)
      : sweep_(sweep),
        op_(require_op(sweep.op)),
        kernels_(std::move(kernels)),
        study_(study.name),
        label_(study.name + "/" + sweep.name),
        machine_(machine),
        list_(list) {}

  void add_all() {
    if (kernels_.empty()) return;
    const Expansion expansion = expand(with_defaults(op_, sweep_.axes), param_names(op_));
    for (const Params& point : expansion.points) {
      with_place("at " + describe(point), [&] {
        for (const auto& [name, value] : point) check_type(op_, name, value);
        for (const Candidate& kernel : kernels_) add_point(kernel, point);
      });
    }
    for (const auto& drop : expansion.dropped) {
      with_place("at " + describe(drop.point), [&] { add_dropped(drop.point, drop.reason); });
    }
  }

 private:
  void add_point(const Candidate& candidate, const Params& point) {
    if (!sweep_.scaling) return add_case(candidate, point, {});
    const ScalingSpec& scaling = *sweep_.scaling;
    const bool scales = candidate.kernel != nullptr && (candidate.kernel->collective || scaling.mode == "throughput");
    if (!scales) {
      Params alone = point;
      alone["ranks"] = scaling.ranks.front();  // 1 as a rule; otherwise a row that says why not
      return add_case(candidate, alone, {});
    }
    const std::string series = identity_of(point, op_.name, candidate.name);
    for (const std::int64_t ranks : scaling.ranks)
      add_case(candidate, at_ranks(op_, point, scaling, ranks), {{label_, scaling.mode, scaling.by, series, scaling.base}});
  }

  Case start(const Candidate& candidate, const Params& params) const {
    Case c;
    c.op = op_.name;
    c.kernel = candidate.name;
    c.params = params;
    if (replicas_of(params) == 1) c.params.erase("replicas");  // one copy is the plain case
    if (!is_graph(params)) c.params.erase("graph");
    if (link_of(params) == "mpi" || get_int(params, "ranks") == 1) c.params.erase("link");
    const bool exchanges = candidate.kernel != nullptr && candidate.kernel->collective && get_int(params, "ranks") > 1;
    if (part_of(params) == Part::whole || !exchanges) c.params.erase("part");  // who exchanges nothing has no parts
    c.id = identity_of(c.params, c.op, c.kernel);
    c.ranks = std::max(get_int(params, "ranks"), replicas_of(params));
    c.threads = get_int(params, "threads");
    c.baseline = sweep_.baseline;
    c.sweeps = {label_};
    if (sweep_.crossover) c.crossovers = {{label_, study_ + "/" + sweep_.crossover->against, sweep_.crossover->along}};
    return c;
  }

  void add_case(const Candidate& candidate, const Params& params, std::vector<ScalingTag> tags) {
    Case c = start(candidate, params);
    if (part_of(params) == Part::whole) c.scaling = std::move(tags);  // a part is no point of a curve
    if (candidate.kernel != nullptr) {
      judge(op_, *candidate.kernel, machine_, c);
    } else {
      c.planned = Outcome::skipped;
      c.reason = candidate.missing;
    }
    list_.add(std::move(c), false);
  }

  void add_dropped(const Params& point, const std::string& reason) {
    Case c = start(kernels_.front(), point);
    c.planned = Outcome::skipped;
    c.reason = reason;
    list_.add(std::move(c), true);
  }

  const Sweep& sweep_;
  const Op& op_;
  std::vector<Candidate> kernels_;
  std::string study_, label_;
  const Machine& machine_;
  CaseList& list_;
};

}  // namespace

std::vector<Case> make_cases(const Study& study, const std::vector<MissingKernel>& missing,
                             const Machine& machine) {
  const std::vector<Candidate> all = all_candidates(missing);
  check_filter(study.filter, all);
  CaseList list;
  for (const Sweep& sweep : study.sweeps) {
    with_place(concat("sweep '", sweep.name, "'"), [&] {
      check_sweep(sweep);
      SweepCases(study, sweep, choose_kernels(sweep, study.filter, all), machine, list).add_all();
    });
  }
  std::vector<Case> cases = list.take();
  if (cases.empty())
    throw Error(ErrorKind::no_match,
                concat("no case of study '", study.name, "' is left; its kernels were filtered out"));
  std::vector<std::string> ids;
  for (const Case& c : cases) ids.push_back(c.id);
  require_distinct_short_ids(std::move(ids));
  return cases;
}

}  // namespace bench::scaling
