// SPDX-License-Identifier: Apache-2.0
// Ranks as MPI processes. Host memory; two-sided messages: receives are posted before sends, messages over 1
// GiB go in parts, and matching is by order, so one tag is enough on a communicator that nobody else uses.
//
// wait() and barrier() spin: inside a measured collective the wake-up of a sleeping rank (50 us and more)
// would be measured too. Open MPI moves nothing above its eager limit (4 KiB on shared memory) until somebody
// calls into it: a kernel that wants overlap calls progress() every 32 to 128 KiB of traffic or so. Where the
// receiver's core does the copy (single-copy shared memory), that shortens the wait and not the step, so
// overlap is judged by whole step times.
//
// Under a deadline the waits poll instead, and an allgather is made of point-to-point messages on every rank
// that has one: so either all ranks of the group set a deadline or none does. The other collectives
// (collectives_mpi.cpp) are MPI's nonblocking ones. Such a one cannot be called back: a deadline that passes
// leaves memory in doubt.
#pragma once

#include <memory>
#include <vector>

#include "src/comm/communicator.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

class MpiTransfer;

/// Messages and errors are those of MPI: a call throws CommError when MPI fails or when a message is not as
/// long as its buffer. A broken link leaves its communicator to the end of the process: to free it is
/// collective, and its peers may be gone.
class LinkMpi final : public Link {
 public:
  /// Collective over `group`, of which it keeps a duplicate. Must be gone before MPI is finalised, and after
  /// all of its Transfers.
  explicit LinkMpi(const Communicator& group);
  ~LinkMpi() override;
  LinkMpi(const LinkMpi&) = delete;
  LinkMpi& operator=(const LinkMpi&) = delete;

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override;
  void progress() override;
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void barrier() override;
  void allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) override;
  void reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) override;
  void alltoall(std::span<const std::byte> out, std::span<std::byte> in) override;
  void transport_allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;

 private:
  friend class MpiTransfer;
  double now_s() const override;
  template <class Start>
  void collective(const char* name, std::size_t payload, Start&& start);
  Communicator group_;
  std::vector<MpiTransfer*>
      in_flight_;  // what progress() has to test; a transfer enters and leaves by itself
};

}  // namespace bench::comm
