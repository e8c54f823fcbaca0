// SPDX-License-Identifier: Apache-2.0
// What rank 0 does alone, without leaving the others behind.
#pragma once

#include <string>

#include "src/comm/communicator.hpp"
#include "src/core/error.hpp"

namespace bench::cli {

/// Runs `work` on rank 0 alone and lets every rank leave with the same error.
template <class Work>
void on_rank_0(const comm::Communicator& world, Work&& work) {
  std::string problem;
  std::int64_t kind = 0;
  if (world.rank() == 0) {
    try {
      work();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::comm) throw;  // then nobody can be told either
      problem = error.what();
      kind = static_cast<std::int64_t>(error.kind());
    } catch (const std::exception& error) {
      problem = error.what();
      kind = static_cast<std::int64_t>(ErrorKind::internal);
    }
  }
  problem = world.bcast(problem, 0);
  if (!problem.empty()) throw Error(static_cast<ErrorKind>(world.allgather(kind).front()), problem);
}

}  // namespace bench::cli
