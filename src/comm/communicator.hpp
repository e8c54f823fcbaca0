// SPDX-License-Identifier: Apache-2.0
// An MPI communicator that is owned, and the control traffic over it: orders, decisions, results. Nothing
// here is for measured loops (that is what a Link is for): all calls that wait sleep while they do, so idle
// ranks leave the cores to those that measure. Errors of MPI surface as CommError.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bench::comm {

/// A message of bytes and where it came from.
struct Message {
  int source = 0;
  std::string payload;
};

class Communicator {
 public:
  /// Takes ownership of `owned`; MPI_COMM_NULL is refused.
  explicit Communicator(MPI_Comm owned);
  /// Collective copy of `original`, with messages of its own.
  static Communicator duplicate(MPI_Comm original);
  ~Communicator();
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  MPI_Comm get() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Lets go of the communicator without freeing it, until the process ends: freeing is collective, and the
  /// peers of a broken group may never join.
  void forget() noexcept;

  /// Collective. Ranks of one `color` form a group, ordered by `key`, then by rank; a negative color joins
  /// none and gets nullopt.
  std::optional<Communicator> split(int color, int key) const;
  /// Collective. The ranks that share memory with this one, in the order of their ranks here.
  Communicator node() const;

  /// Collective. Returns once all ranks have entered.
  void sleepy_barrier() const;

  /// Collective. `root`'s value, on every rank; what the others pass is ignored. Strings are plain bytes of
  /// any length.
  std::string bcast(std::string value, int root) const;
  double bcast(double value, int root) const;
  /// Collective. Every rank's string, in rank order, at `root`; an empty vector elsewhere.
  std::vector<std::string> gather(const std::string& mine, int root) const;
  /// Collective. Every rank's number, in rank order, everywhere.
  std::vector<std::int64_t> allgather(std::int64_t mine) const;
  /// Collective. The largest value of all ranks.
  double max(double mine) const;
  /// Collective. True when every rank says true.
  bool all(bool mine) const;

  /// Every communicator of this process that is held now; none of them, and none made later, is freed any more: freeing is collective, and
  /// one that holds a dead rank would wait for it for ever.
  static std::vector<MPI_Comm> abandon_all();

  static constexpr int kAnySource = MPI_ANY_SOURCE;
  /// One message to `to`, not to oneself; returns once the payload may be reused. `tag` is 0..1000 and tells
  /// kinds of message apart.
  void send(const std::string& payload, int to, int tag) const;
  /// The next message with `tag`, from `source` or from anyone; per sender in the order they were sent.
  Message recv(int source, int tag) const;
  /// The same, or nullopt at once when none is there yet.
  std::optional<Message> try_recv(int source, int tag) const;

 private:
  void release() noexcept;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

}  // namespace bench::comm
