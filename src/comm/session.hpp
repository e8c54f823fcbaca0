// SPDX-License-Identifier: Apache-2.0
// The life of MPI in this process.
#pragma once

#include <string>

namespace bench::comm {

class Communicator;

/// Initialises MPI (MULTIPLE where it is granted, else FUNNELED: only the thread that made the Session calls
/// MPI) and makes errors return instead of abort. At most one a process. The destructor finalises, unless an exception is unwinding
/// through it: the peers may not be there to finalise with, and leaving without it lets the launcher end the
/// job.
class Session {
 public:
  /// `argc` and `argv` are main's. Throws Error(unavailable) when MPI cannot give MPI_THREAD_FUNNELED.
  Session(int& argc, char**& argv);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Whether several threads may call MPI at once.
  bool many_threads() const { return many_threads_; }
  /// Collective: returns when every rank is about to leave.
  void leave_together() const;
  /// Ends all ranks at once with `code`: for a rank that failed alone while others may wait for it.
  [[noreturn]] void abort(int code) const;
  /// A communicator of all ranks, separate from MPI_COMM_WORLD. Collective; must be gone before the Session
  /// is.
  Communicator world() const;

  /// True when a launcher (mpirun, mpiexec, srun with PMI) started this process, so that others expect it in
  /// MPI_Init. Reads only the environment: verbs that need no ranks ask before they touch MPI. SLURM_PROCID
  /// alone does not count: a batch script has it too.
  static bool launched();

 private:
  int rank_ = 0, size_ = 1;
  bool many_threads_ = false;
  int exceptions_at_start_ = 0;
};

/// First line of MPI's description of itself. Allowed without a Session.
std::string mpi_library_version();

}  // namespace bench::comm
