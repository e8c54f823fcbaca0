// SPDX-License-Identifier: Apache-2.0
// The calls of the NCCL link; how it is set up: setup_nccl.cpp.
#include "src/comm/link_nccl.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "src/comm/agree.hpp"
#include "src/comm/link_wait.hpp"
#include "src/comm/nccl_flights.hpp"
#include "src/comm/nccl_parts.hpp"
#include "src/core/by_posts.hpp"
#include "src/core/error.hpp"

namespace bench::comm {
namespace {

constexpr double kGrace_s = 5.0;  // for an abort to return, and for the communicator's kernels to leave the GPU

/// ncclCommAbort may itself wait for ever, for another communicator's kernels (NVIDIA/nccl#829, #1013).
bool abort_returns(ncclComm_t comm) {
  const auto returned = std::make_shared<std::atomic<bool>>(false);
  std::thread([=] {
    NcclLibrary::get().abort(comm);  // whatever it answers, the communicator is not to be touched any more
    *returned = true;
  }).detach();
  const LinkWait patience(kGrace_s);
  while (!*returned)
    if (patience.expired()) return false;
  return true;
}

class LinkOverNccl final : public LinkNccl {
 public:
  explicit LinkOverNccl(const NcclSetup& setup) : setup_(setup) {
    int least = 0, greatest = 0;
    check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
    // Its few blocks go first: compute that fills the GPU would else keep a message waiting for a whole wave.
    check_cuda(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "cudaStreamCreate");
    check_cuda(cudaMalloc(&flags_, static_cast<std::size_t>(setup_.size)), "cudaMalloc");
  }
  ~LinkOverNccl() override {
    if (!broken()) leave();
    if (memory_in_doubt()) return;  // the GPU still uses both
    cudaStreamDestroy(stream_);
    cudaFree(flags_);
  }
  LinkOverNccl(const LinkOverNccl&) = delete;
  LinkOverNccl& operator=(const LinkOverNccl&) = delete;

  int rank() const override { return setup_.rank; }
  int size() const override { return setup_.size; }
  bool functional_only() const override { return setup_.functional_only; }
  int version() const override { return setup_.version; }

  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override;
  void progress() override {
    if (broken()) return;
    const std::string reason = reason_of([&] { check_async(); });
    if (!reason.empty()) give_up(reason);
  }
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void barrier() override;
  void follow(void* stream) override { setup_.compute = static_cast<cudaStream_t>(stream); }
  void watch() override;
  std::unique_ptr<MessageMemory> message_memory(std::int64_t bytes) override {
    require_whole();
    return memory_for(setup_, bytes, *this);
  }
  void allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) override;
  void reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) override;
  void alltoall(std::span<const std::byte> out, std::span<std::byte> in) override;
  std::unique_ptr<Transfer> post_allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  std::unique_ptr<Transfer> post_allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) override;
  std::unique_ptr<Transfer> post_reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) override;
  std::unique_ptr<Transfer> post_alltoall(std::span<const std::byte> out, std::span<std::byte> in) override;

  void wait(const Event& done, const std::string& whom);
  void hold_up(const Event& done, cudaStream_t stream);
  void give_up(const std::string& reason) override;

 private:
  double now_s() const override { return steady_now_s(); }
  template <class Call>
  auto aborting(Call&& call);
  void enqueued();
  void follow_compute();
  template <class Queue>
  std::unique_ptr<Transfer> launch(const char* name, std::size_t payload, Queue&& queue);
  ncclResult_t check_async() const;
  void leave();

  NcclSetup setup_;
  cudaStream_t stream_ = nullptr;
  void* flags_ = nullptr;  // a byte a rank on the device, for the barrier
  Event so_far_;           // on the followed stream
  Flights flights_;
};

class NcclTransfer final : public Transfer {
 public:
  explicit NcclTransfer(LinkOverNccl& link) : link_(link) {}
  ~NcclTransfer() override {
    if (!done_) link_.give_up("an exchange was given up unfinished");
  }
  void wait() override {
    if (!done_) link_.wait(*flight.done, flight.peers());
    done_ = true;
  }
  void hold_up(void* stream) override {
    if (!done_) link_.hold_up(*flight.done, static_cast<cudaStream_t>(stream));
    done_ = true;
  }
  Flight flight;

 private:
  LinkOverNccl& link_;
  bool done_ = false;
};

/// Like guarded, and takes the communicator down with the link.
template <class Call>
auto LinkOverNccl::aborting(Call&& call) {
  return guarded([&] {
    try {
      return call();
    } catch (const Error& error) {
      give_up(error.what());
      throw;
    }
  });
}

ncclResult_t LinkOverNccl::check_async() const {
  ncclResult_t state = ncclSuccess;
  check_nccl(NcclLibrary::get().async_error(setup_.comm, &state), "ncclCommGetAsyncError", setup_.comm);
  check_nccl(state, "an operation under way", setup_.comm);
  return state;
}

/// Until a nonblocking call has put its work on the stream.
void LinkOverNccl::enqueued() {
  const LinkWait patience(seconds_left());
  while (check_async() == ncclInProgress) {
    if (patience.expired()) patience.give_up("the peers' connections");
  }
}

void LinkOverNccl::follow_compute() {
  so_far_.record(setup_.compute);
  so_far_.hold_up(stream_);
}

void LinkOverNccl::hold_up(const Event& done, cudaStream_t stream) {
  aborting([&] { done.hold_up(stream); });
}

void LinkOverNccl::watch() {
  aborting([&] {
    check_async();
    const Flight* const first = flights_.first();
    if (first != nullptr && seconds_left() <= 0.0)
      throw Error(ErrorKind::timeout, concat("link: rank ", rank(), " still waits, in exchange ", first->number, " of those under way, for ",
                                             first->peers(), "; the deadline has passed"));
  });
}

void LinkOverNccl::wait(const Event& done, const std::string& whom) {
  aborting([&] {
    const LinkWait patience(seconds_left());
    while (!done.passed()) {
      check_async();
      if (patience.expired()) patience.give_up(whom);
    }
    flights_.first();  // forgets what has ended
  });
}

std::unique_ptr<Transfer> LinkOverNccl::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                             int from) {
  BS_REQUIRE(to >= 0 && to < size() && from >= 0 && from < size(), "link: no rank ", to, " or ", from,
             " in a group of ", size());
  const bool sends = !out.empty(), receives = !in.empty();  // an empty message is left out by both its ends
  BS_REQUIRE((sends && to == rank()) == (receives && from == rank()),
             "link: over NCCL a message to oneself is sent and received by one post");
  return aborting([&] {
    const NcclLibrary& nccl = NcclLibrary::get();
    auto transfer = std::make_unique<NcclTransfer>(*this);
    follow_compute();
    // One group per exchange: sends and receives that wait for each other must start together.
    check_nccl(nccl.group_start(), "ncclGroupStart", setup_.comm);
    const ncclResult_t sent =
        sends ? nccl.send(out.data(), out.size(), ncclChar, to, setup_.comm, stream_) : ncclSuccess;
    const ncclResult_t received =
        receives ? nccl.recv(in.data(), in.size(), ncclChar, from, setup_.comm, stream_) : ncclSuccess;
    const ncclResult_t ended = nccl.group_end();
    check_nccl(sent, "ncclSend", setup_.comm);
    check_nccl(received, "ncclRecv", setup_.comm);
    check_nccl(ended, "ncclGroupEnd", setup_.comm);
    enqueued();
    transfer->flight = flights_.depart(stream_, to, from);
    if (to != rank()) count_sent(out.size());
    return transfer;
  });
}

/// `queue` puts a collective on the link's stream.
template <class Queue>
std::unique_ptr<Transfer> LinkOverNccl::launch(const char* name, std::size_t payload, Queue&& queue) {
  return aborting([&] {
    auto transfer = std::make_unique<NcclTransfer>(*this);
    follow_compute();
    queue();
    enqueued();
    transfer->flight = flights_.depart(stream_, rank(), rank(), name);
    count_sent(payload);
    return transfer;
  });
}

std::unique_ptr<Transfer> LinkOverNccl::post_allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const auto ranks = static_cast<std::size_t>(size());
  BS_REQUIRE(!mine.empty() && all.size() == mine.size() * ranks, "allgather: ", all.size(), " bytes of room for ", ranks, " x ", mine.size());
  return launch("an allgather", mine.size() * (ranks - 1), [&] { queue_allgather(setup_, stream_, mine, all); });
}

std::unique_ptr<Transfer> LinkOverNccl::post_allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) {
  by_posts::require_allreduce(dtype, mine.size(), sum.size());
  const auto ranks = static_cast<std::size_t>(size());
  return launch("an allreduce", 2 * (ranks - 1) * mine.size() / ranks, [&] { queue_allreduce(setup_, stream_, dtype, mine, sum); });
}

std::unique_ptr<Transfer> LinkOverNccl::post_reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) {
  by_posts::require_reduce_scatter(*this, dtype, mine.size(), share.size());
  return launch("a reduce_scatter", mine.size() - share.size(), [&] { queue_reduce_scatter(setup_, stream_, dtype, mine, share); });
}

std::unique_ptr<Transfer> LinkOverNccl::post_alltoall(std::span<const std::byte> out, std::span<std::byte> in) {
  by_posts::require_alltoall(*this, out.size(), in.size());
  return launch("an alltoall", out.size() - out.size() / static_cast<std::size_t>(size()), [&] { queue_alltoall(setup_, stream_, out, in); });
}

// The same for who waits; one without any bytes is still a meeting.
void LinkOverNccl::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  return mine.empty() ? barrier() : post_allgather(mine, all)->wait();
}
void LinkOverNccl::allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) {
  return mine.empty() ? barrier() : post_allreduce(dtype, mine, sum)->wait();
}
void LinkOverNccl::reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) {
  return mine.empty() ? barrier() : post_reduce_scatter(dtype, mine, share)->wait();
}
void LinkOverNccl::alltoall(std::span<const std::byte> out, std::span<std::byte> in) {
  return out.empty() ? barrier() : post_alltoall(out, in)->wait();
}

void LinkOverNccl::barrier() {
  auto* flags = static_cast<std::byte*>(flags_);
  const std::span<std::byte> all(flags, static_cast<std::size_t>(size()));
  launch("a barrier", 0, [&] { queue_allgather(setup_, stream_, all.subspan(static_cast<std::size_t>(rank()), 1), all); })->wait();
}

void LinkOverNccl::give_up(const std::string& reason) {
  if (broken()) return;
  break_link(reason);
  if (!abort_returns(setup_.comm)) return doubt_memory();
  const LinkWait patience(kGrace_s);
  while (cudaStreamQuery(stream_) == cudaErrorNotReady) {
    cudaGetLastError();  // an answer, not an error
    if (patience.expired()) return doubt_memory();
  }
}

/// Collective, as far as the peers are still there: those that are not cost the grace period.
void LinkOverNccl::leave() {
  const NcclLibrary& nccl = NcclLibrary::get();
  nccl.finalize(setup_.comm);
  const LinkWait patience(kGrace_s);
  ncclResult_t state = ncclInProgress;
  while (nccl.async_error(setup_.comm, &state) == ncclSuccess && state == ncclInProgress &&
         !patience.expired()) {
  }
  state == ncclSuccess ? nccl.destroy(setup_.comm) : nccl.abort(setup_.comm);
}

}  // namespace

std::unique_ptr<LinkNccl> link_over(const NcclSetup& setup) {
  return std::make_unique<LinkOverNccl>(setup);
}

}  // namespace bench::comm
