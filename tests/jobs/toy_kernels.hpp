// SPDX-License-Identifier: Apache-2.0
// An op so simple that its harness can be judged: out = 2 x over a sequence cut to ranks, with implementations of every temper.
#pragma once

#include <functional>

#include "scaling/case.hpp"

namespace bench::jobs::toy {

/// A case of op "toy" on `kernel` with L positions over `ranks` ranks.
scaling::Case make_case(const std::string& kernel, std::int64_t ranks, std::int64_t length = 10);
/// How often a toy kernel ran in this process, over all ranks.
int calls();
/// What a call of a toy kernel does besides, on this thread: let time pass. Empty: nothing.
void set_work(std::function<void()> work);
void reset_calls();

}  // namespace bench::jobs::toy
