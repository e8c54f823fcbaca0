// SPDX-License-Identifier: Apache-2.0
// What a distributed kernel sees of the world: a group of ranks that pass bytes. Kernels take a Link&; the back ends (self, threads,
// mpi, ...) live in src/comm. Every call is collective over the group unless it says otherwise, and every rank calls in the same order.
// A Link is used from one thread at a time. Errors of the transport surface as bench::Error.
//
// A wait may be given a deadline. What passes it, or finds the transport failed, throws and leaves the link broken: messages are lost or
// half done, so no later call can be trusted to match its peers'. Every later call throws at once; the owner drops the link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>

#include "src/core/dtype.hpp"
#include "src/core/error.hpp"

namespace bench {

/// One exchange in flight. wait() or hold_up() must be called before it is destroyed; the buffers stay untouched until then. (An exception
/// that unwinds may destroy it unwaited: that breaks the link.)
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void wait() = 0;
  /// What is put on the device's `stream` (a cudaStream_t) from now on comes after this exchange; the host goes on at once, unless it is the
  /// host that moves the data: then it waits.
  virtual void hold_up(void* stream) {
    static_cast<void>(stream);
    wait();
  }
};

class Link {
 public:
  virtual ~Link() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Starts sending `out` to rank `to` and receiving `in` from rank `from`; the message lengths must match pairwise and may be zero.
  /// Messages from one rank to another arrive in the order of their posts.
  virtual std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) = 0;
  /// Gives the transport a chance to move data; cheap, never blocks. Called between tiles of compute, also from inside parallel regions,
  /// so it never throws: an error that it meets breaks the link, and the next wait throws it.
  virtual void progress() = 0;
  /// All ranks' `mine` (equal lengths), in rank order, into `all` (size() times as long).
  virtual void allgather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  virtual void barrier() = 0;

  void sendrecv(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) { post(out, to, in, from)->wait(); }

  // Sums and exchanges, out of place: no two spans of a call overlap. Here they are made of posts (src/core/by_posts.hpp, which has their bytes and
  // the fixed order of their sums). A back end with collectives of its own overrides them: how it sums and sends is its library's, so bytes_sent()
  // counts what any algorithm has to send: 2 (P-1)/P of an allreduce's array, (P-1)/P of the others'.
  /// sum[i] = the sum over ranks of mine[i], on every rank; any number of elements.
  virtual void allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum);
  /// `mine` has size() equal shares; rank r gets the sum over ranks of the r-th ones.
  virtual void reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share);
  /// Both have size() equal pieces: piece r of `out` goes to rank r, piece r of `in` comes from it.
  virtual void alltoall(std::span<const std::byte> out, std::span<std::byte> in);
  /// allgather() as the transport has it, for who measures transports: never made of posts for a deadline's sake, as votes have to be.
  virtual void transport_allgather(std::span<const std::byte> mine, std::span<std::byte> all) { allgather(mine, all); }

  /// later <- earlier (+) later, where `earlier` belongs to lower ranks: associative, need not commute.
  using Combine = std::function<void(std::span<const std::byte> earlier, std::span<std::byte> later)>;

  /// Exclusive prefix over ranks: on return `record` holds the combination of all lower ranks' records, in order; rank 0 gets back
  /// `identity`. ceil(log2 P) + 1 messages a rank (Hillis & Steele 1986), each of record.size() bytes; only point-to-point calls, so every
  /// back end (a simulated one too) gives the same bits.
  void exscan(std::span<std::byte> record, std::span<const std::byte> identity, const Combine& combine);

  /// Bytes this rank has sent so far (payload, all calls), for the wire-traffic column.
  std::int64_t bytes_sent() const { return bytes_sent_; }

  /// From now until clear_deadline(), a call or a Transfer of this link that would still wait `seconds_from_now` from now throws
  /// Error(timeout), which names the rank it waited for, and breaks the link. Not collective: each rank has its own. A second call
  /// replaces the deadline of the first. Calls that need not wait never throw for it.
  void set_deadline(double seconds_from_now);
  void clear_deadline();
  bool has_deadline() const { return deadline_s_ < kNever_s; }
  /// Until the deadline; infinite without one, negative once it has passed.
  double seconds_left() const { return has_deadline() ? deadline_s_ - now_s() : kNever_s; }

  /// True once a deadline passed or the transport failed; every call then throws Error(comm) with the first reason.
  bool broken() const { return !broken_because_.empty(); }
  const std::string& broken_because() const { return broken_because_; }
  /// True when a broken link could not call back an exchange under way: the transport may still read or write the buffers that were
  /// handed to post(), so the process had better end (75, resumable) than use that memory for something else.
  bool memory_in_doubt() const { return memory_in_doubt_; }

 protected:
  static constexpr double kNever_s = std::numeric_limits<double>::infinity();

  void count_sent(std::size_t bytes) { bytes_sent_ += static_cast<std::int64_t>(bytes); }

  /// Seconds on a clock that never goes back. This room owns no clock: a link that can wait overrides it; another has no use for it.
  virtual double now_s() const { return 0.0; }
  /// A decorator passes its deadline on to the link it wraps; infinite when it was cleared.
  virtual void on_deadline(double /*seconds_from_now*/) {}
  /// Runs `call` on a link that is whole; an Error of kind timeout or comm that comes out of it breaks the link.
  template <class Call>
  decltype(auto) guarded(Call&& call) {
    require_whole();
    try {
      return call();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::timeout || error.kind() == ErrorKind::comm) break_link(error.what());
      throw;
    }
  }
  void require_whole() const;
  /// The first reason stays.
  void break_link(const std::string& reason);
  void doubt_memory() { memory_in_doubt_ = true; }

  /// by_posts::allgather, marked as a vote. For back ends that have nothing better, or nothing that a deadline can interrupt.
  void allgather_by_posts(std::span<const std::byte> mine, std::span<std::byte> all);
  /// True inside of it. A back end marks those messages: a rank that left a kernel early and votes must not be taken for one that is
  /// still in it.
  bool gathering() const { return gathering_; }

 private:
  std::int64_t bytes_sent_ = 0;
  double deadline_s_ = kNever_s;  // on now_s()'s clock
  std::string broken_because_;
  bool memory_in_doubt_ = false;
  bool gathering_ = false;
};

/// Device memory that a DeviceLink gave for messages. It goes before its link does.
class MessageMemory {
 public:
  virtual ~MessageMemory() = default;
  virtual std::byte* data() const = 0;
};

/// A Link between devices: all spans that it is given are memory of the rank's own device (votes and other data of the host need a host link
/// beside it), and what it moves is work on a stream of its own. A kernel posts, goes on, and lets its stream wait by Transfer::hold_up; nothing
/// of that holds the host up, except at the first exchange of two ranks, which builds their connection: calls that are checked and that warm up
/// come before any that is timed.
class DeviceLink : public Link {
 public:
  /// The collectives of Link as work on the link's stream: like a post they start after what is on the followed stream by then, and nobody waits. No
  /// span is empty.
  virtual std::unique_ptr<Transfer> post_allgather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  virtual std::unique_ptr<Transfer> post_allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) = 0;
  virtual std::unique_ptr<Transfer> post_reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) = 0;
  virtual std::unique_ptr<Transfer> post_alltoall(std::span<const std::byte> out, std::span<std::byte> in) = 0;
  /// From now on a post starts after what is then on `stream` (a cudaStream_t), so that it sends what was computed there, and receives into what
  /// is no longer read there.
  virtual void follow(void* stream) = 0;
  /// Called again and again by whoever waits for the stream. Throws when the transport failed, and Error(timeout) with this rank, the exchange and its
  /// peers when one is still under way at the deadline. Either has taken the transport down, so that what waited for it on the device goes on, with
  /// wrong data; unless memory_in_doubt().
  virtual void watch() = 0;
  /// Takes the transport down, because this rank left a call in the middle: its own queue ends, and its peers' waits fail. Once; later calls do nothing.
  virtual void give_up(const std::string& reason) = 0;
  /// `bytes` of this device's memory, 256-byte aligned, not initialised, as the transport moves it best: registered with it, where all ranks can.
  /// OutOfMemory when there is not so much. For prepare, not for run.
  virtual std::unique_ptr<MessageMemory> message_memory(std::int64_t bytes) = 0;
  /// Ranks share a device: answers count, times mean nothing.
  virtual bool functional_only() const = 0;
  /// The transport's version as it numbers itself, 22809 for NCCL 2.28.9.
  virtual int version() const = 0;
};

/// A deadline for as long as this lives.
class DeadlineGuard {
 public:
  DeadlineGuard(Link& link, double seconds_from_now) : link_(link) { link.set_deadline(seconds_from_now); }
  ~DeadlineGuard() { link_.clear_deadline(); }
  DeadlineGuard(const DeadlineGuard&) = delete;
  DeadlineGuard& operator=(const DeadlineGuard&) = delete;

 private:
  Link& link_;
};

}  // namespace bench
