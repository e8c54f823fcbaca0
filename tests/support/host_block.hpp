// SPDX-License-Identifier: Apache-2.0
// What the host's machines keep of the block they run: threads as coroutines, shared memory, what is on its way. Theirs alone.
#pragma once

#include <ucontext.h>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "tests/support/host_machine.hpp"

namespace bench::support::host_machine {

constexpr std::size_t kStack_bytes = 256 << 10;  // a thread's registers lie here, some 10 KB
constexpr std::uint32_t kSharedBase = 1024;      // HostMachine::shared()

/// Threads meet here; the last one opens it.
struct Meeting {
  int expected = 0, arrived = 0;
  std::uint64_t opened = 0;
};

struct Copy {
  std::uint32_t to;
  const void* from;  // null: zeros
};

using Work = std::function<void()>;

/// Asynchronous work of one thread in groups: what is not committed yet, and what is, oldest first.
template <class Item>
struct Groups {
  std::vector<Item> open;
  std::deque<std::vector<Item>> committed;

  void commit() {
    committed.push_back(std::move(open));
    open.clear();
  }
  /// Does what all but the last `pending` groups hold.
  template <class Do>
  void wait(int pending, Do&& act) {
    for (; committed.size() > static_cast<std::size_t>(pending); committed.pop_front())
      for (const Item& item : committed.front()) act(item);
  }
};

/// Boxes that a thread has the copy engine store: those of one group that are not read yet.
struct Stores {
  std::shared_ptr<int> open = std::make_shared<int>(0);
  std::vector<std::shared_ptr<int>> committed;
};

struct Thread {
  ucontext_t start{};  // where it begins; from then on it is left and gone on with by jumps, as switching contexts asks the kernel each time
  std::jmp_buf place{};
  bool begun = false;
  std::unique_ptr<std::byte[]> stack;
  int index = 0;
  bool done = false;
  std::function<bool()> may_go_on;  // null: it may
  Groups<Copy> copies;
  Groups<Work> products, additions;
  std::vector<Work> landing;  // additions whose numbers have been read
  Stores stores;
  std::vector<std::size_t> unpublished;  // which 16 bytes it wrote, since its last publish_writes()
};

struct Warp {
  Meeting meeting{32};
  std::uint32_t at[32] = {};
  WarpWords words{};
  std::uint64_t behind_until = 0;  // a round of the block's
};

/// An mbarrier.
struct Barrier {
  int expected = 0, missing = 0, bytes = 0;
  std::uint64_t phases = 0;  // that are over
};

struct Block {
  int index = 0, count = 1;  // of so many
  std::vector<std::uint8_t> shared;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Meeting all;
  std::map<std::uint32_t, Barrier> barriers;
  std::map<int, Meeting> numbered;           // barriers with a number, of `expected` threads at present
  std::vector<int> unpublished;              // of each 16 bytes: how many threads' writes the copy engine and products may not see yet
  std::vector<Work> engine;  // copies of whole boxes that are on their way
  std::uint64_t rounds = 0;   // of turns
  int asleep = 0;
  std::jmp_buf scheduler{};
  Thread* running = nullptr;
  const std::function<void()>* body = nullptr;
  std::exception_ptr failure;
};

Block& here();
void meet(Meeting& meeting);
/// The last one's arrival, when it waits for nobody.
void signal(Meeting& meeting);
/// Until `ready` says so; others go on meanwhile.
void wait_until(std::function<bool()> ready);
/// For a few rounds of turns: what is waited for takes its time.
void sleep();
std::uint8_t* shared_at(std::uint32_t at, int bytes);

}  // namespace bench::support::host_machine
