// SPDX-License-Identifier: Apache-2.0
#include "tests/support/host_machine.hpp"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "src/core/error.hpp"

namespace bench::support {
namespace {

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

struct Thread {
  ucontext_t context{};
  std::unique_ptr<std::byte[]> stack;
  int index = 0;
  bool done = false;
  const Meeting* waits_for = nullptr;
  std::uint64_t until = 0;
  std::vector<Copy> copies;              // not committed yet
  std::deque<std::vector<Copy>> groups;  // committed, oldest first
};

struct Warp {
  Meeting meeting{32};
  std::uint32_t at[32] = {};
  host_machine::WarpWords words{};
};

struct Block {
  int index = 0;
  std::vector<std::uint8_t> shared;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Meeting all;
  ucontext_t scheduler{};
  Thread* running = nullptr;
  const std::function<void()>* body = nullptr;
  std::exception_ptr failure;
};

thread_local Block* the_block = nullptr;

void leave_turn() { swapcontext(&the_block->running->context, &the_block->scheduler); }

void meet(Meeting& meeting) {
  if (++meeting.arrived == meeting.expected) {
    meeting.arrived = 0;
    ++meeting.opened;
    return;
  }
  Thread& self = *the_block->running;
  self.waits_for = &meeting;
  self.until = meeting.opened + 1;
  leave_turn();
  self.waits_for = nullptr;
}

void thread_main() {
  Thread& self = *the_block->running;
  try {
    (*the_block->body)();
  } catch (...) {
    the_block->failure = std::current_exception();
  }
  self.done = true;
  leave_turn();
}

void start(Block& block, Thread& thread, int index) {
  thread.index = index;
  thread.stack = std::make_unique<std::byte[]>(kStack_bytes);
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.get();
  thread.context.uc_stack.ss_size = kStack_bytes;
  thread.context.uc_link = &block.scheduler;
  makecontext(&thread.context, thread_main, 0);
}

bool ready(const Thread& thread) {
  return !thread.done && (thread.waits_for == nullptr || thread.waits_for->opened >= thread.until);
}

/// Gives those of a warp's threads that can go on a turn each, in random order; false when none can.
bool take_turns(Block& block, int warp, std::mt19937_64& random) {
  std::array<int, 32> order;
  std::iota(order.begin(), order.end(), warp * 32);
  std::ranges::shuffle(order, random);
  bool any = false;
  for (const int i : order) {
    Thread& thread = block.threads[static_cast<std::size_t>(i)];
    if (!ready(thread)) continue;
    any = true;
    block.running = &thread;
    swapcontext(&block.scheduler, &thread.context);
    if (block.failure) std::rethrow_exception(block.failure);
  }
  return any;
}

/// A warp goes on alone for as long as it can, or until it is interrupted, and then another one does.
void run_warps(Block& block, std::mt19937_64& random) {
  constexpr int kInterruption = 64;  // one turn in so many
  std::vector<int> warps(block.warps.size());
  std::iota(warps.begin(), warps.end(), 0);
  for (bool any = true; any;) {
    any = false;
    std::ranges::shuffle(warps, random);
    for (const int warp : warps)
      while (take_turns(block, warp, random)) {
        any = true;
        if (random() % kInterruption == 0) break;
      }
  }
}

Warp& warp() { return the_block->warps[static_cast<std::size_t>(the_block->running->index / 32)]; }
int lane() { return the_block->running->index % 32; }

std::uint8_t* shared_at(std::uint32_t at) {
  BS_REQUIRE(at >= kSharedBase && at + 16 <= kSharedBase + the_block->shared.size() && at % 16 == 0,
             "16 bytes at ", at, " of ", the_block->shared.size(), " bytes of shared memory");
  return the_block->shared.data() + (at - kSharedBase);
}

}  // namespace

void run_block(int threads, int block_index, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body) {
  Block block;
  block.index = block_index;
  block.shared.assign(static_cast<std::size_t>(shared_bytes), 0xff);
  block.threads.resize(static_cast<std::size_t>(threads));
  block.warps.resize(static_cast<std::size_t>(threads / 32));
  block.all.expected = threads;
  block.body = &body;
  the_block = &block;
  for (int i = 0; i < threads; ++i) start(block, block.threads[static_cast<std::size_t>(i)], i);
  std::mt19937_64 random(seed);
  run_warps(block, random);
  the_block = nullptr;
  for (const Thread& thread : block.threads)
    BS_REQUIRE(thread.done, "thread ", thread.index, " waits for threads that never come");
}

namespace host_machine {

int thread() { return the_block->running->index; }
int block() { return the_block->index; }
void sync() { meet(the_block->all); }
float* shared_floats() { return reinterpret_cast<float*>(the_block->shared.data()); }

void copy16(std::uint32_t to, const void* from, bool valid) {
  shared_at(to);
  BS_REQUIRE(!valid || reinterpret_cast<std::uintptr_t>(from) % 16 == 0, "16 bytes are copied from an address that is no multiple of 16");
  the_block->running->copies.push_back({to, valid ? from : nullptr});
}

void commit() {
  Thread& self = *the_block->running;
  self.groups.push_back(std::move(self.copies));
  self.copies.clear();
}

void wait(int pending) {
  auto& groups = the_block->running->groups;
  while (groups.size() > static_cast<std::size_t>(pending)) {
    for (const Copy& copy : groups.front()) {
      if (copy.from != nullptr)
        std::memcpy(shared_at(copy.to), copy.from, 16);
      else
        std::memset(shared_at(copy.to), 0, 16);
    }
    groups.pop_front();
  }
}

Matrices exchange_rows(std::uint32_t at) {
  Warp& here = warp();
  here.at[lane()] = at;
  meet(here.meeting);
  Matrices matrices;
  for (int i = 0; i < 32; ++i) std::memcpy(matrices.rows[i / 8][i % 8], shared_at(here.at[i]), 16);
  meet(here.meeting);
  return matrices;
}

WarpWords exchange_words(const std::uint32_t* words, int count) {
  Warp& here = warp();
  std::copy_n(words, count, here.words.of[lane()]);
  meet(here.meeting);
  const WarpWords all = here.words;
  meet(here.meeting);
  return all;
}

}  // namespace host_machine
}  // namespace bench::support
