// SPDX-License-Identifier: Apache-2.0
// The program bench_micro: Google Benchmark's loop and flags around our kernels and our own hot paths. It
// looks at one call in one process; what several processes do together, and how sure a number is, are the
// harness's business. All times are manual: of the harness's clock.
#pragma once

#include <memory>

namespace bench::jobs::micro {

/// What went wrong besides speed, for the exit code.
struct Tally {
  int failed =
      0;  // kernels that threw or were wrong; a kernel that does not support its problem is not among them
};

/// One benchmark per registered kernel, dtype and pass, on the op's small problem:
/// "attention/naive_cpu/fp32/fwd/ranks:1/manual_time". Checked against the oracle each time before a call is
/// timed. Kernels for several ranks run on two, as threads.
void register_kernels(const std::shared_ptr<Tally>& tally);

/// "harness/...": what the program itself does around every measurement.
void register_hot_paths();

}  // namespace bench::jobs::micro
