// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of one process: the same distributed code as under MPI, for tests, sanitizers and machines
// without mpirun. Sends are buffered (the payload is copied at the post), receives match in the order of
// their posts, per pair of ranks. A rank whose deadline passes poisons the group: its peers need not wait for
// their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/core/link.hpp"

namespace bench::comm {

/// Links of a group of `size` >= 1 ranks; give element r to the thread that plays rank r. They share the
/// mailboxes, so each may outlive the others, but a Transfer must not outlive its Link. Calls throw
/// Error(internal) when a peer is out of range, Error(comm) when a message's length differs from its buffer's
/// or once the group was aborted, Error(timeout) past the deadline.
std::vector<std::unique_ptr<Link>> make_thread_links(int size);

/// Poisons the group that `link` (one of make_thread_links) belongs to: every call that would wait, now or
/// later, on any rank, throws Error(comm) with `reason` instead. The first reason stays. Safe from any
/// thread.
void abort_thread_links(Link& link, const std::string& reason);

/// Runs `body(link)` on `size` threads, one a rank, and joins them. A rank that throws poisons the group, so
/// its peers stop too; the first exception (the cause, not the echoes) is rethrown here.
void run_on_threads(int size, const std::function<void(Link&)>& body);

}  // namespace bench::comm
