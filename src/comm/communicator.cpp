// SPDX-License-Identifier: Apache-2.0
#include "src/comm/communicator.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

#include "src/comm/idle_wait.hpp"
#include "src/comm/mpi_check.hpp"

namespace bench::comm {
namespace {

// MPI counts are int. A frame longer than this goes in several messages.
constexpr std::size_t kChunkBytes = std::size_t{1} << 30;
constexpr int kGatherTag = 1001;  // above the tags that callers may use

void finish(MPI_Request request) {
  IdleWait idle;
  for (int done = 0;;) {
    BS_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) return;
    idle.pause();
  }
}

// A message is its length (8 bytes, the sender's byte order: clusters are of one kind) and its bytes, cut
// into chunks.
std::string frame(const std::string& payload) {
  const std::uint64_t length = payload.size();
  std::string bytes(sizeof length + payload.size(), '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof length);
  return bytes;
}

void send_frame(MPI_Comm comm, const std::string& payload, int to, int tag) {
  const std::string bytes = frame(payload);
  for (std::size_t at = 0; at < bytes.size(); at += kChunkBytes) {
    const int count = static_cast<int>(std::min(kChunkBytes, bytes.size() - at));
    MPI_Request request = MPI_REQUEST_NULL;
    BS_MPI(MPI_Isend(bytes.data() + at, count, MPI_BYTE, to, tag, comm, &request));
    finish(request);
  }
}

std::optional<Message> try_recv_frame(MPI_Comm comm, int source, int tag) {
  int there = 0;
  MPI_Message head = MPI_MESSAGE_NULL;
  MPI_Status status;
  BS_MPI(MPI_Improbe(source, tag, comm, &there, &head, &status));
  if (!there) return std::nullopt;
  int count = 0;
  BS_MPI(MPI_Get_count(&status, MPI_BYTE, &count));
  std::string bytes(static_cast<std::size_t>(count), '\0');
  BS_MPI(MPI_Mrecv(bytes.data(), count, MPI_BYTE, &head, MPI_STATUS_IGNORE));
  std::uint64_t length = 0;
  BS_REQUIRE(bytes.size() >= sizeof length, "a message of ", count, " bytes is no frame");
  std::memcpy(&length, bytes.data(), sizeof length);
  std::size_t have = bytes.size();
  bytes.resize(sizeof length + length);
  while (have < bytes.size()) {  // the rest comes from the same sender next: MPI keeps the order per tag
    const std::size_t part = std::min(kChunkBytes, bytes.size() - have);
    MPI_Request request = MPI_REQUEST_NULL;
    BS_MPI(MPI_Irecv(bytes.data() + have, static_cast<int>(part), MPI_BYTE, status.MPI_SOURCE, tag, comm,
                     &request));
    finish(request);
    have += part;
  }
  bytes.erase(0, sizeof length);
  return Message{status.MPI_SOURCE, std::move(bytes)};
}

Message recv_frame(MPI_Comm comm, int source, int tag) {
  IdleWait idle;
  for (;;) {
    if (auto message = try_recv_frame(comm, source, tag)) return std::move(*message);
    idle.pause();
  }
}

/// The handles that are held, so that all can be revoked at once. MPI may be called from two threads of rank 0.
class Held {
 public:
  void add(MPI_Comm comm) {
    const std::lock_guard lock(mutex_);
    comms_.push_back(comm);
  }
  void remove(MPI_Comm comm) {
    const std::lock_guard lock(mutex_);
    std::erase(comms_, comm);
  }
  bool may_free() {
    const std::lock_guard lock(mutex_);
    return !abandoned_;
  }
  std::vector<MPI_Comm> abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    return comms_;
  }

 private:
  std::mutex mutex_;
  std::vector<MPI_Comm> comms_;
  bool abandoned_ = false;
};

Held& held() {
  static Held all;
  return all;
}

void check_tag(int tag) {
  BS_REQUIRE(tag >= 0 && tag < kGatherTag, "tag ", tag, " is outside 0..", kGatherTag - 1);
}

}  // namespace

Communicator::Communicator(MPI_Comm owned) : comm_(owned) {
  BS_REQUIRE(owned != MPI_COMM_NULL, "a communicator of nobody");
  BS_MPI(MPI_Comm_rank(comm_, &rank_));
  BS_MPI(MPI_Comm_size(comm_, &size_));
  held().add(comm_);
}

void Communicator::forget() noexcept {
  comm_ = MPI_COMM_NULL;
}

std::vector<MPI_Comm> Communicator::abandon_all() {
  return held().abandon();
}

Communicator Communicator::duplicate(MPI_Comm original) {
  MPI_Comm copy = MPI_COMM_NULL;
  BS_MPI(MPI_Comm_dup(original, &copy));
  return Communicator(copy);
}

Communicator::~Communicator() {
  release();
}

Communicator::Communicator(Communicator&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)), rank_(other.rank_), size_(other.size_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  if (this == &other) return *this;
  release();
  comm_ = std::exchange(other.comm_, MPI_COMM_NULL);
  rank_ = other.rank_;
  size_ = other.size_;
  return *this;
}

// Freeing is collective: while an exception unwinds this rank the others may not follow, so the handle is
// left to the process's end.
void Communicator::release() noexcept {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (comm_ == MPI_COMM_NULL) return;
  // What is not freed stays among the held: a peer may still wait in it, and has to be woken should a rank have died.
  if (!finalized && std::uncaught_exceptions() == 0 && held().may_free()) {
    held().remove(comm_);
    MPI_Comm_free(&comm_);
  }
  comm_ = MPI_COMM_NULL;
}

std::optional<Communicator> Communicator::split(int color, int key) const {
  MPI_Comm part = MPI_COMM_NULL;
  BS_MPI(MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, key, &part));
  if (part == MPI_COMM_NULL) return std::nullopt;
  return Communicator(part);
}

Communicator Communicator::node() const {
  MPI_Comm part = MPI_COMM_NULL;
  BS_MPI(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &part));
  return Communicator(part);
}

void Communicator::sleepy_barrier() const {
  MPI_Request request = MPI_REQUEST_NULL;
  BS_MPI(MPI_Ibarrier(comm_, &request));
  finish(request);
}

std::string Communicator::bcast(std::string value, int root) const {
  std::uint64_t length = value.size();
  MPI_Request request = MPI_REQUEST_NULL;
  BS_MPI(MPI_Ibcast(&length, 1, MPI_UINT64_T, root, comm_, &request));
  finish(request);
  value.resize(length);
  for (std::size_t at = 0; at < length; at += kChunkBytes) {
    const int count = static_cast<int>(std::min(kChunkBytes, length - at));
    BS_MPI(MPI_Ibcast(value.data() + at, count, MPI_BYTE, root, comm_, &request));
    finish(request);
  }
  return value;
}

double Communicator::bcast(double value, int root) const {
  MPI_Request request = MPI_REQUEST_NULL;
  BS_MPI(MPI_Ibcast(&value, 1, MPI_DOUBLE, root, comm_, &request));
  finish(request);
  return value;
}

std::vector<std::string> Communicator::gather(const std::string& mine, int root) const {
  if (rank_ != root) {
    send_frame(comm_, mine, root, kGatherTag);
    return {};
  }
  std::vector<std::string> all;
  for (int r = 0; r < size_; ++r) all.push_back(r == root ? mine : recv_frame(comm_, r, kGatherTag).payload);
  return all;
}

std::vector<std::int64_t> Communicator::allgather(std::int64_t mine) const {
  std::vector<std::int64_t> all(static_cast<std::size_t>(size_));
  MPI_Request request = MPI_REQUEST_NULL;
  BS_MPI(MPI_Iallgather(&mine, 1, MPI_INT64_T, all.data(), 1, MPI_INT64_T, comm_, &request));
  finish(request);
  return all;
}

double Communicator::max(double mine) const {
  double largest = mine;
  MPI_Request request = MPI_REQUEST_NULL;
  BS_MPI(MPI_Iallreduce(&mine, &largest, 1, MPI_DOUBLE, MPI_MAX, comm_, &request));
  finish(request);
  return largest;
}

bool Communicator::all(bool mine) const {
  const int yes = mine ? 1 : 0;
  int everyone = 0;
  MPI_Request request = MPI_REQUEST_NULL;
  BS_MPI(MPI_Iallreduce(&yes, &everyone, 1, MPI_INT, MPI_MIN, comm_, &request));
  finish(request);
  return everyone == 1;
}

void Communicator::send(const std::string& payload, int to, int tag) const {
  check_tag(tag);
  BS_REQUIRE(to >= 0 && to < size_ && to != rank_, "rank ", rank_, " of ", size_, " cannot send to ", to);
  send_frame(comm_, payload, to, tag);
}

Message Communicator::recv(int source, int tag) const {
  check_tag(tag);
  return recv_frame(comm_, source, tag);
}

std::optional<Message> Communicator::try_recv(int source, int tag) const {
  check_tag(tag);
  return try_recv_frame(comm_, source, tag);
}

}  // namespace bench::comm
