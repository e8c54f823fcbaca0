// SPDX-License-Identifier: Apache-2.0
#include "src/comm/session.hpp"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "src/comm/communicator.hpp"
#include "src/comm/mpi_check.hpp"

namespace bench::comm {
namespace {

// With more ranks than cores a spinning peer holds the core that its partner needs; Open MPI reads this at
// MPI_Init. The user's own setting stays.
void yield_when_oversubscribed() {
  const char* local_ranks = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (local_ranks == nullptr || std::atol(local_ranks) <= sysconf(_SC_NPROCESSORS_ONLN)) return;
  setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

// Open MPI asks OPAL_PREFIX where its texts and settings are. Its mpirun tells the ranks; a rank that was started alone or by Slurm finds them
// beside the program, if they came with it.
void find_mpi_beside_the_program() {
  std::error_code code;
  const auto prefix = std::filesystem::read_symlink("/proc/self/exe", code).parent_path().parent_path();
  if (code || !std::filesystem::is_directory(prefix / "share/openmpi", code)) return;
  for (const char* name : {"OPAL_PREFIX", "PMIX_PREFIX"}) setenv(name, prefix.c_str(), 1);
}

bool any_variable_starts_with(std::string_view prefix) {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (std::string_view(*variable).starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

Session::Session(int& argc, char**& argv) : exceptions_at_start_(std::uncaught_exceptions()) {
  yield_when_oversubscribed();
  find_mpi_beside_the_program();
  int provided = MPI_THREAD_SINGLE;
  // The coordinator is a second thread of rank 0; without MULTIPLE it takes turns with rank 0's own work.
  BS_MPI(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided));
  many_threads_ = provided == MPI_THREAD_MULTIPLE;
  BS_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  BS_MPI(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
  BS_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
  BS_MPI(MPI_Comm_size(MPI_COMM_WORLD, &size_));
  if (provided < MPI_THREAD_FUNNELED) {
    MPI_Finalize();
    throw Error(ErrorKind::unavailable,
                "this MPI offers no MPI_THREAD_FUNNELED, which OpenMP inside ranks needs");
  }
}

Session::~Session() {
  if (std::uncaught_exceptions() > exceptions_at_start_) return;
  MPI_Finalize();
}

void Session::leave_together() const {
  world().sleepy_barrier();
}

void Session::abort(int code) const {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);  // an MPI whose abort returns has no business going on
}

Communicator Session::world() const {
  return Communicator::duplicate(MPI_COMM_WORLD);
}

bool Session::launched() {
  // Open MPI's mpirun; any PMIx launcher; Hydra (MPICH, Intel MPI) and Slurm's pmi2.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return std::getenv("SLURM_PROCID") != nullptr && any_variable_starts_with("PMI");
}

std::string mpi_library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  BS_MPI(MPI_Get_library_version(text, &length));
  const std::string version(text);  // `length` counts the terminator in some libraries
  return version.substr(0, version.find_first_of("\r\n"));
}

}  // namespace bench::comm
