// SPDX-License-Identifier: Apache-2.0
// A gate's result for the machines and people around a change: JUnit XML for the CI server, a Markdown
// comment for the review. Names and reasons come from files of any origin, so nothing of them is taken as
// markup.
#pragma once

#include <string>

#include "analysis/compare/gate.hpp"

namespace bench::analysis {

/// One testsuite with a testcase a row: a failure when the row blocks; skipped when it is missing or
/// undecided and the policy allows that, or new; else passed, with its figures as system-out. Times in
/// seconds. UTF-8; bytes that XML does not have are replaced. `comparison` is the one that the gate judged.
std::string to_junit(const GateResult& result, const Comparison& comparison);

/// The headline, a table of the rows that are not simply passed (at most 30, blocking ones first), and folded
/// away the table of all rows, as far as it fits: below 65536 bytes in all, the most that hosts take.
std::string to_markdown_comment(const GateResult& result, const Comparison& comparison);

}  // namespace bench::analysis
