// SPDX-License-Identifier: Apache-2.0
// Ranks of one node that pass messages through memory they share: "mpi-shm". A message is copied into the
// receiver's memory at the post, as far as its ring has room, and out of it by the receiver; no library is
// between the two. The laws of a Link hold, but it is not MPI's message passing: its times belong in a table
// of their own.
//
// Waits spin for a moment, then let others have the core, then sleep in ever longer naps: with more ranks
// than cores the peer that is waited for needs this core. Nothing but the calls of the two ranks moves data,
// so a broken link leaves no memory in doubt.
#pragma once

#include <memory>
#include <vector>

#include "src/comm/shm_channel.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

class Communicator;
class ShmTransfer;

/// A segment of memory per rank, all of which every rank can reach.
class SharedMemory {
 public:
  virtual ~SharedMemory() = default;
  virtual int size() const = 0;
  virtual std::span<std::byte> segment(int rank) = 0;  // begins at a whole line
};

class LinkShm final : public Link {
 public:
  /// Bytes of a rank's segment in a group of `ranks`, with a ring of `ring_bytes` (a multiple of kShmLine)
  /// per peer.
  static std::size_t segment_bytes(int ranks, std::size_t ring_bytes);
  /// Puts empty channels into a rank's segment. All segments are formatted before the first link is made.
  static void format(std::span<std::byte> segment, int ranks, std::size_t ring_bytes);

  LinkShm(std::shared_ptr<SharedMemory> memory, int rank, std::size_t ring_bytes);
  LinkShm(const LinkShm&) = delete;
  LinkShm& operator=(const LinkShm&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return memory_->size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override;
  void progress() override;
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    allgather_by_posts(mine, all);
  }
  void barrier() override;

 private:
  friend class ShmTransfer;
  double now_s() const override;
  bool advance();  // true when it moved something
  std::atomic<std::uint64_t>& entered(int rank);

  std::shared_ptr<SharedMemory> memory_;
  int rank_;
  std::vector<ShmEnd> to_, from_;        // [peer]
  std::vector<ShmTransfer*> in_flight_;  // oldest first
  std::uint64_t barriers_ = 0;
};

/// Collective over `group`, whose ranks must all be on one node: Error(unavailable) on every rank otherwise,
/// or when there is no shared memory to be had. The group is not needed any more afterwards.
std::unique_ptr<Link> make_shm_link(const Communicator& group);

}  // namespace bench::comm
