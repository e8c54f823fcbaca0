// SPDX-License-Identifier: Apache-2.0
#include "src/cli/supervise.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "analysis/results.hpp"
#include "jobs/journal.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/launch_process.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

/// Lines that say how far it is; a line that is cut off is not counted. The journal itself is read whole only once, by whoever resumes it.
std::size_t steps_of(const fs::path& journal) {
  std::ifstream in(journal, std::ios::binary);
  std::size_t steps = 0;
  for (std::string line; std::getline(in, line) && !in.eof();)
    for (const char* kind : {R"("kind":"start")", R"("kind":"visit")"}) steps += line.find(kind) != line.npos ? 1 : 0;
  return steps;
}

/// As a run's own code has it: what is not here (a device, a package) is no failure.
bool has_failed_cases(const fs::path& folder) {
  const analysis::RunRecord run = jobs::load_journal(folder / "journal.jsonl");
  const analysis::Results results = analysis::make_results(run);
  return std::ranges::any_of(results.cases, [&](const analysis::CaseResult& result) {
    return run.cases[result.case_index].planned == Outcome::ok && result.outcome != Outcome::ok && result.outcome != Outcome::skipped;
  });
}

}  // namespace

RunState state_of(const fs::path& folder) {
  std::ifstream in(folder / "status.json");
  const nlohmann::json status = nlohmann::json::parse(in, nullptr, false);
  const bool finished = status.is_object() && status.value("state", nlohmann::json()) == "finished";
  return {finished, steps_of(folder / "journal.jsonl")};
}

Decision decide(const RunState& before, const RunState& after, int code, bool asked_to_stop, const std::function<bool()>& failed) {
  constexpr std::array kFinal{kUsage, kUnavailable, kNothingMatched};
  if (std::ranges::find(kFinal, code) != kFinal.end()) return {false, code, {}};
  if (code == kAllMeasured || (code == kSomeFailed && after.finished)) return {false, code, {}};  // 3 without an end is a rank that failed alone
  const bool got_further = after.steps > before.steps;
  if (after.finished && (got_further || !before.finished)) return {false, failed() ? kSomeFailed : kAllMeasured, concat("the run is finished, whatever code ", code, " means")};
  if (asked_to_stop) return {false, kStoppedEarly, "stopped; the same command continues it"};
  if (got_further) return {true, code, concat("ended with ", code, " after ", after.steps - before.steps, " records; again")};
  return {false, kStoppedEarly, concat("ended with ", code, " and no record further than before: not tried again")};
}

int supervise(const std::vector<std::string>& command, const fs::path& folder) {
  for (RunState before = state_of(folder);;) {
    const Ended ended = run_stoppable(command);
    const RunState after = state_of(folder);
    const Decision decision = decide(before, after, ended.code, ended.asked_to_stop, [&] { return has_failed_cases(folder); });
    if (!decision.reason.empty()) std::cerr << concat("bench_scale: ", folder.string(), ": ", decision.reason, '\n');
    if (!decision.again) return decision.code;
    before = after;
  }
}

}  // namespace bench::cli
