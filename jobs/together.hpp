// SPDX-License-Identifier: Apache-2.0
// A step of a visit that may fail on any rank: all ranks take it, and all know how it went.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "jobs/team.hpp"
#include "src/core/error.hpp"
#include "src/core/link.hpp"
#include "src/core/out_of_memory.hpp"
#include "src/core/outcome.hpp"

namespace bench::jobs {

/// How a step ended on this rank.
struct StepEnd {
  Outcome outcome = Outcome::ok;
  std::string reason;
};

/// Of the exception that is being handled. When the link itself broke there is no voting any more: then the exception goes on. One between devices
/// that broke can be voted on.
inline StepEnd end_of_step(const Link& link) {
  if (link.broken()) throw;
  try {
    throw;
  } catch (const OutOfMemory& error) {
    return {Outcome::oom, error.what()};
  } catch (const std::bad_alloc&) {
    return {Outcome::oom, "memory ran out"};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::comm) return {Outcome::comm_error, error.what()};
    if (error.kind() == ErrorKind::timeout) return {Outcome::timeout, error.what()};  // not the link's, which is whole: a program's that a kernel started
    return {error.kind() == ErrorKind::unavailable ? Outcome::skipped : Outcome::crashed, error.what()};
  } catch (const std::exception& error) {
    return {Outcome::crashed, error.what()};
  }
}

/// Runs `step` on every rank and lets all ranks know whether it worked everywhere. Returns the reason of the lowest rank that failed; sets
/// `outcome`.
template <class Step>
std::string together(Link& link, Outcome& outcome, Step&& step) {
  StepEnd mine;
  try {
    step();
  } catch (const std::exception&) {
    mine = end_of_step(link);
    if (mine.reason.empty()) mine.reason = "an exception without a message";
  }
  for (const Outcome of_rank : all_of(link, mine.outcome)) {
    if (of_rank == Outcome::ok) continue;
    outcome = of_rank;
    const Words words = first_words(link, mine.reason);
    return words.rank == link.rank() ? mine.reason : concat("rank ", words.rank, " of the block failed: ", words.text);
  }
  return {};
}

/// The same for a step that also talks over `device`, unless that is null. A rank that leaves it by an exception takes that link down first, or its own
/// queue and its peers would wait for each other until the deadline, and the vote for them.
template <class Step>
std::string together(Link& link, DeviceLink* device, Outcome& outcome, Step&& step) {
  return together(link, outcome, [&] {
    try {
      step();
    } catch (const std::exception& error) {
      if (device == nullptr) throw;
      if (device->broken()) throw Error(ErrorKind::comm, error.what());  // its deadline, too
      device->give_up(concat("this rank left its call: ", error.what()));
      throw;
    }
  });
}

}  // namespace bench::jobs
