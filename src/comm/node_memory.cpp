// SPDX-License-Identifier: Apache-2.0
// The memory of LinkShm between MPI ranks: one POSIX shared-memory object, mapped by all ranks of the group
// and unlinked as soon as they have it, so that nothing is left behind however they end.
//
// Not MPI_Win_allocate_shared: a window is freed by all its ranks together, so a rank that is done would wait
// for ever for one that is stuck or dead. Unmapping concerns nobody else.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include "src/comm/agree.hpp"
#include "src/comm/communicator.hpp"
#include "src/comm/link_shm.hpp"
#include "src/core/error.hpp"

namespace bench::comm {
namespace {

// All rings of a group together: half of what a container gives /dev/shm by default (64 MB).
constexpr std::size_t kAllRings = 32 * 1024 * 1024;
// A ring that stays in the second-level cache; and one that still takes a carry of a scan at once.
constexpr std::size_t kLongestRing = 256 * 1024, kShortestRing = 4 * 1024;

std::size_t ring_bytes_for(int ranks) {
  const auto pairs = static_cast<std::size_t>(ranks) * static_cast<std::size_t>(ranks);
  return std::clamp(kAllRings / pairs / kShmLine * kShmLine, kShortestRing, kLongestRing);
}

[[noreturn]] void give_reason(const char* call) {
  throw Error(ErrorKind::unavailable, concat(call, ": ", std::strerror(errno)));
}

struct Descriptor {
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

/// A name that nobody has: the process, in case of several namespaces of processes the time too.
std::string new_name() {
  return concat("/bench_scale.", getpid(), ".", std::chrono::steady_clock::now().time_since_epoch().count());
}

/// Unlinks on destruction; empty for ranks that made nothing.
class Name {
 public:
  ~Name() {
    if (!text_.empty()) shm_unlink(text_.c_str());
  }
  Name() = default;
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;

  /// Makes an object of `bytes` whose pages exist: a page that could not be had later would be a SIGBUS.
  void create(std::size_t bytes) {
    const std::string name = new_name();
    const Descriptor object(shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, S_IRUSR | S_IWUSR));
    if (object.fd < 0) give_reason("shm_open");
    text_ = name;
    const int code = posix_fallocate(object.fd, 0, static_cast<off_t>(bytes));
    if (code == 0) return;
    errno = code;
    give_reason("posix_fallocate of shared memory");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class NodeMemory final : public SharedMemory {
 public:
  NodeMemory(const std::string& name, int ranks, std::size_t segment_bytes)
      : ranks_(ranks), each_(segment_bytes) {
    const Descriptor object(shm_open(name.c_str(), O_RDWR, 0));
    if (object.fd < 0) give_reason("shm_open");
    void* begin = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, object.fd, 0);
    if (begin == MAP_FAILED) give_reason("mmap");
    begin_ = static_cast<std::byte*>(begin);
  }
  ~NodeMemory() override { munmap(begin_, bytes()); }
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;

  int size() const override { return ranks_; }
  std::span<std::byte> segment(int rank) override {
    return {begin_ + static_cast<std::size_t>(rank) * each_, each_};
  }

 private:
  std::size_t bytes() const { return each_ * static_cast<std::size_t>(ranks_); }
  std::byte* begin_ = nullptr;
  int ranks_;
  std::size_t each_;
};

}  // namespace

std::unique_ptr<Link> make_shm_link(const Communicator& group) {
  const int here = group.node().size();
  agree(group, "mpi-shm",
        here == group.size()
            ? ""
            : concat("only ", here, " of the block's ", group.size(), " ranks are on this node"));
  const std::size_t ring = ring_bytes_for(group.size());
  const std::size_t each = LinkShm::segment_bytes(group.size(), ring);
  Name made;
  const auto make = [&] {
    if (group.rank() == 0) made.create(each * static_cast<std::size_t>(group.size()));
  };
  agree(group, "mpi-shm", reason_of(make));
  const std::string name = group.bcast(made.text(), 0);
  std::shared_ptr<NodeMemory> memory;
  const auto map = [&] {
    memory = std::make_shared<NodeMemory>(name, group.size(), each);
    LinkShm::format(memory->segment(group.rank()), group.size(), ring);
  };
  agree(group, "mpi-shm", reason_of(map));  // now all segments are formatted, and the name can go
  return std::make_unique<LinkShm>(std::move(memory), group.rank(), ring);
}

}  // namespace bench::comm
