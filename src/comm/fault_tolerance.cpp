// SPDX-License-Identifier: Apache-2.0
#include "src/comm/fault_tolerance.hpp"

#include <cstdlib>
#include <string_view>
#include <thread>

#include "src/comm/mpi_check.hpp"

#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif

namespace bench::comm {

#if defined(OMPI_HAVE_MPI_EXT_FTMPI) && OMPI_HAVE_MPI_EXT_FTMPI

namespace {

/// Translates a group of dead processes into ranks of `group`.
std::vector<int> ranks_of(MPI_Group dead, const Communicator& group) {
  int count = 0;
  BS_MPI(MPI_Group_size(dead, &count));
  std::vector<int> theirs(static_cast<std::size_t>(count)), ours(theirs.size());
  for (int i = 0; i < count; ++i) theirs[static_cast<std::size_t>(i)] = i;
  MPI_Group all = MPI_GROUP_NULL;
  BS_MPI(MPI_Comm_group(group.get(), &all));
  const int code = MPI_Group_translate_ranks(dead, count, theirs.data(), all, ours.data());
  MPI_Group_free(&all);
  BS_MPI(code);
  return ours;
}

}  // namespace

CommError peer_lost() { return {"a rank died", MPIX_ERR_PROC_FAILED, "look for the dead", __FILE__, __LINE__}; }

bool survives_deaths() {
  // Set by `mpirun --with-ft ulfm`; without it the runtime kills everybody before an error could be returned.
  const char* enabled = std::getenv("OMPI_MCA_mpi_ft_enable");
  return enabled != nullptr && std::string_view(enabled) == "1";
}

bool is_peer_loss(const std::exception& error) {
  const auto* failure = dynamic_cast<const CommError*>(&error);
  if (failure == nullptr || failure->code() == MPI_SUCCESS || !survives_deaths()) return false;
  int kind = MPI_SUCCESS;
  MPI_Error_class(failure->code(), &kind);
  return kind == MPIX_ERR_PROC_FAILED || kind == MPIX_ERR_PROC_FAILED_PENDING || kind == MPIX_ERR_REVOKED;
}

std::vector<int> dead_ranks(const Communicator& group) {
  if (!survives_deaths()) return {};
  MPI_Group dead = MPI_GROUP_NULL;
  BS_MPI(MPIX_Comm_get_failed(group.get(), &dead));
  std::vector<int> ranks = dead == MPI_GROUP_EMPTY ? std::vector<int>() : ranks_of(dead, group);
  if (dead != MPI_GROUP_EMPTY && dead != MPI_GROUP_NULL) MPI_Group_free(&dead);
  return ranks;
}

void revoke_everything() {
  if (!survives_deaths()) return;
  for (MPI_Comm comm : Communicator::abandon_all()) MPIX_Comm_revoke(comm);
}

Communicator survivors_of(const Communicator& world) {
  for (;;) {
    MPI_Comm shrunk = MPI_COMM_NULL;
    int agreed = MPIX_Comm_shrink(world.get(), &shrunk) == MPI_SUCCESS ? 1 : 0;
    if (agreed != 0) MPI_Comm_set_errhandler(shrunk, MPI_ERRORS_RETURN);
    // Somebody may die during the shrink: all go on with the new communicator, or all try again.
    const int code = agreed != 0 ? MPIX_Comm_agree(shrunk, &agreed) : MPI_ERR_OTHER;
    if (code == MPI_SUCCESS && agreed != 0) return Communicator(shrunk);
  }
}

std::vector<int> ranks_left_behind(const Communicator& before, const Communicator& now) {
  MPI_Group old_group = MPI_GROUP_NULL, new_group = MPI_GROUP_NULL, gone = MPI_GROUP_NULL;
  BS_MPI(MPI_Comm_group(before.get(), &old_group));
  BS_MPI(MPI_Comm_group(now.get(), &new_group));
  BS_MPI(MPI_Group_difference(old_group, new_group, &gone));
  std::vector<int> ranks = ranks_of(gone, before);
  for (MPI_Group* group : {&old_group, &new_group, &gone})
    if (*group != MPI_GROUP_EMPTY) MPI_Group_free(group);
  return ranks;
}

bool DeathWatch::lost_somebody() {
  constexpr std::chrono::milliseconds kPeriod{2};
  if (!survives_deaths() || Clock::now() < next_) return false;
  next_ = Clock::now() + kPeriod;
  int revoked = 0;
  BS_MPI(MPIX_Comm_is_revoked(world_.get(), &revoked));
  return revoked != 0 || !dead_ranks(world_).empty();
}

#else  // an MPI without ULFM

CommError peer_lost() { return {"a rank died", MPI_ERR_OTHER, "look for the dead", __FILE__, __LINE__}; }
bool survives_deaths() { return false; }
bool is_peer_loss(const std::exception&) { return false; }
std::vector<int> dead_ranks(const Communicator&) { return {}; }
void revoke_everything() {}
Communicator survivors_of(const Communicator& world) { return Communicator::duplicate(world.get()); }
std::vector<int> ranks_left_behind(const Communicator&, const Communicator&) { return {}; }
bool DeathWatch::lost_somebody() { return false; }

#endif

bool follows_a_death(const std::exception& error, const Communicator& world) {
  if (is_peer_loss(error)) return true;
  const auto* failure = dynamic_cast<const Error*>(&error);
  if (!survives_deaths() || failure == nullptr || failure->kind() != ErrorKind::comm) return false;
  DeathWatch watch(world);
  for (int look = 0; look < 500; ++look, std::this_thread::sleep_for(std::chrono::milliseconds(2)))
    if (watch.lost_somebody()) return true;
  return false;
}

}  // namespace bench::comm
