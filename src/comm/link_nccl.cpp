// SPDX-License-Identifier: Apache-2.0
// The calls of the NCCL link; how it is set up: setup_nccl.cpp.
#include "src/comm/link_nccl.hpp"

#include <string>
#include <utility>

#include "src/comm/agree.hpp"
#include "src/comm/link_wait.hpp"
#include "src/comm/nccl_parts.hpp"
#include "src/core/error.hpp"

namespace bench::comm {
namespace {

constexpr double kGrace_s = 5.0;  // for the kernels of an aborted communicator to leave the GPU

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

  void wait(const Event& done, const std::string& whom);
  void give_up(const std::string& reason);

 private:
  double now_s() const override { return steady_now_s(); }
  template <class Call>
  auto aborting(Call&& call);
  void enqueued();
  void follow_compute();
  void gather(const void* mine, void* all, std::size_t each);
  ncclResult_t check_async() const;
  void leave();

  NcclSetup setup_;
  cudaStream_t stream_ = nullptr;
  void* flags_ = nullptr;  // a byte a rank on the device, for the barrier
};

class NcclTransfer final : public Transfer {
 public:
  NcclTransfer(LinkOverNccl& link, int to, int from) : link_(link), to_(to), from_(from) {}
  ~NcclTransfer() override {
    if (!done_) link_.give_up("an exchange was given up unfinished");
  }
  void wait() override {
    if (!done_) link_.wait(done, concat("rank ", from_, " to send or rank ", to_, " to take"));
    done_ = true;
  }
  Event done;

 private:
  LinkOverNccl& link_;
  int to_, from_;
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
  Event so_far;
  so_far.record(setup_.compute);
  so_far.hold_up(stream_);
}

void LinkOverNccl::wait(const Event& done, const std::string& whom) {
  aborting([&] {
    const LinkWait patience(seconds_left());
    while (!done.passed()) {
      check_async();
      if (patience.expired()) patience.give_up(whom);
    }
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
    auto transfer = std::make_unique<NcclTransfer>(*this, to, from);
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
    transfer->done.record(stream_);
    if (to != rank()) count_sent(out.size());
    return transfer;
  });
}

void LinkOverNccl::gather(const void* mine, void* all, std::size_t each) {
  aborting([&] {
    follow_compute();
    check_nccl(NcclLibrary::get().allgather(mine, all, each, ncclChar, setup_.comm, stream_), "ncclAllGather",
               setup_.comm);
    enqueued();
    Event done;
    done.record(stream_);
    wait(done, "the other ranks in an allgather");
  });
}

void LinkOverNccl::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const auto ranks = static_cast<std::size_t>(size());
  BS_REQUIRE(all.size() == mine.size() * ranks, "allgather: ", all.size(), " bytes of room for ", ranks,
             " x ", mine.size());
  if (mine.empty()) return barrier();
  gather(mine.data(), all.data(), mine.size());
  count_sent(mine.size() * (ranks - 1));
}

void LinkOverNccl::barrier() {
  gather(static_cast<char*>(flags_) + rank(), flags_, 1);
}

void LinkOverNccl::give_up(const std::string& reason) {
  if (broken()) return;
  break_link(reason);
  NcclLibrary::get().abort(
      setup_.comm);  // whatever it answers, the communicator is not to be touched any more
  const LinkWait patience(kGrace_s);
  while (cudaStreamQuery(stream_) == cudaErrorNotReady) {
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
