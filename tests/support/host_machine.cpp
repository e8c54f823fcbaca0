// SPDX-License-Identifier: Apache-2.0
#include "tests/support/host_machine.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <random>

#include "src/core/error.hpp"
#include "tests/support/host_block.hpp"

namespace bench::support {
namespace host_machine {
namespace {

thread_local Block* the_block = nullptr;

[[gnu::noinline]] void leave_turn() {
  if (_setjmp(the_block->running->place) == 0) _longjmp(the_block->scheduler, 1);
}

/// Comes back when the thread leaves its turn.
[[gnu::noinline]] void give_turn(Block& block, Thread& thread) {
  block.running = &thread;
  if (_setjmp(block.scheduler) != 0) return;
  if (thread.begun) _longjmp(thread.place, 1);
  thread.begun = true;
  setcontext(&thread.start);
}

void thread_main() {
  Thread& self = *the_block->running;
  try {
    (*the_block->body)();
  } catch (...) {
    the_block->failure = std::current_exception();
  }
  for (const Work& addition : self.landing) addition();
  self.done = true;
  leave_turn();
}

void start(Thread& thread, int index) {
  thread.index = index;
  thread.stack = std::make_unique_for_overwrite<std::byte[]>(kStack_bytes);  // most of it is never touched
  getcontext(&thread.start);
  thread.start.uc_stack.ss_sp = thread.stack.get();
  thread.start.uc_stack.ss_size = kStack_bytes;
  makecontext(&thread.start, thread_main, 0);
}

bool ready(const Thread& thread) { return !thread.done && (!thread.may_go_on || thread.may_go_on()); }

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
    give_turn(block, thread);
    if (block.failure) std::rethrow_exception(block.failure);
  }
  return any;
}

/// One of the boxes on their way arrives, any one; false when there is none.
bool deliver(Block& block, std::mt19937_64& random) {
  if (block.engine.empty()) return false;
  const auto which = block.engine.begin() + static_cast<std::ptrdiff_t>(random() % block.engine.size());
  const Work copy = std::move(*which);
  block.engine.erase(which);
  copy();
  return true;
}

/// Whether this warp could go on, but falls behind for some rounds, long enough for others to meet, multiply and overwrite.
bool falls_behind(Block& block, int warp, std::mt19937_64& random) {
  constexpr int kDelay = 32, kRounds = 48;  // one warp in so many a round, and for so many rounds at most
  Warp& of = block.warps[static_cast<std::size_t>(warp)];
  if (block.rounds >= of.behind_until && random() % kDelay == 0) of.behind_until = block.rounds + random() % kRounds;
  const auto first = block.threads.begin() + warp * 32;
  return block.rounds < of.behind_until && std::any_of(first, first + 32, ready);
}

/// A warp goes on alone for as long as it can, or until it is interrupted, and then another one does. Boxes arrive when nothing else can happen, and
/// now and then before. False when nothing can happen in the block any more, but for what others do.
bool run_warps(Block& block, std::mt19937_64& random) {
  constexpr int kInterruption = 64, kDelivery = 4;  // one turn in so many
  std::vector<int> warps(block.warps.size());
  std::iota(warps.begin(), warps.end(), 0);
  std::ranges::shuffle(warps, random);
  bool any = false, behind = false;
  for (const int warp : warps) {
    if (falls_behind(block, warp, random)) {
      behind = true;
      continue;
    }
    while (take_turns(block, warp, random)) {
      any = true;
      if (random() % kInterruption == 0) break;
    }
  }
  any = any || behind || block.asleep > 0;
  if (!any || random() % kDelivery == 0) any = deliver(block, random) || any;
  ++block.rounds;
  return any;
}

Warp& warp() { return the_block->warps[static_cast<std::size_t>(the_block->running->index / 32)]; }
int lane() { return the_block->running->index % 32; }

}  // namespace

Block& here() { return *the_block; }

void signal(Meeting& meeting) {
  if (++meeting.arrived < meeting.expected) return;
  meeting.arrived = 0;
  ++meeting.opened;
}

void meet(Meeting& meeting) {
  const std::uint64_t until = meeting.opened + 1;
  signal(meeting);
  if (meeting.opened < until) wait_until([&meeting, until] { return meeting.opened >= until; });
}

void wait_until(std::function<bool()> ready) {
  Thread& self = *the_block->running;
  self.may_go_on = std::move(ready);
  leave_turn();
  self.may_go_on = nullptr;
}

void sleep() {
  constexpr std::uint64_t kRounds = 3;  // enough for others to meet, copy and overwrite
  ++the_block->asleep;
  wait_until([until = the_block->rounds + kRounds] { return the_block->rounds >= until; });
  --the_block->asleep;
}

std::uint8_t* shared_at(std::uint32_t at, int bytes) {
  BS_REQUIRE(at >= kSharedBase && at + static_cast<std::uint32_t>(bytes) <= kSharedBase + the_block->shared.size() && at % static_cast<std::uint32_t>(bytes) == 0,
             bytes, " bytes at ", at, " of ", the_block->shared.size(), " bytes of shared memory");
  return the_block->shared.data() + (at - kSharedBase);
}

int thread() { return the_block->running->index; }
int block() { return the_block->index; }
int blocks() { return the_block->count; }
void sync() { meet(the_block->all); }
float* shared_floats() { return reinterpret_cast<float*>(the_block->shared.data()); }
std::uint8_t* shared_place(std::uint32_t at) { return shared_at(at, 1); }

void store_word(std::uint32_t at, std::uint32_t word) { std::memcpy(shared_at(at, 4), &word, 4); }
std::uint32_t load_word(std::uint32_t at) {
  std::uint32_t word;
  std::memcpy(&word, shared_at(at, 4), 4);
  return word;
}

void await_turn(const int* turn, int value) {
  wait_until([turn, value] { return *turn == value; });
}

void publish16(void* to, const std::uint32_t* words) {
  BS_REQUIRE(reinterpret_cast<std::uintptr_t>(to) % 16 == 0, "16 bytes are published at an address that is no multiple of 16");
  auto* const halves = static_cast<std::byte*>(to);
  const int first = static_cast<int>(the_block->rounds % 2);
  std::memcpy(halves + 8 * first, words + 2 * first, 8);
  sleep();
  std::memcpy(halves + 8 * (1 - first), words + 2 * (1 - first), 8);
}

void await_published(std::uint32_t* got, int count, const void* from, std::uint32_t tag) {
  wait_until([=] {
    std::memcpy(got, from, static_cast<std::size_t>(count) * 16);
    for (int i = 1; i < 4 * count; i += 2)
      if (got[i] != got[1]) return false;
    return got[1] == tag || got[1] == tag + 1;
  });
}

void copy16(std::uint32_t to, const void* from, bool valid) {
  shared_at(to, 16);
  BS_REQUIRE(!valid || reinterpret_cast<std::uintptr_t>(from) % 16 == 0, "16 bytes are copied from an address that is no multiple of 16");
  the_block->running->copies.open.push_back({to, valid ? from : nullptr});
}

void commit() { the_block->running->copies.commit(); }

void wait(int pending) {
  the_block->running->copies.wait(pending, [](const Copy& copy) {
    if (copy.from != nullptr)
      std::memcpy(shared_at(copy.to, 16), copy.from, 16);
    else
      std::memset(shared_at(copy.to, 16), 0, 16);
  });
}

Matrices exchange_rows(std::uint32_t at) {
  Warp& mine = warp();
  mine.at[lane()] = at;
  meet(mine.meeting);
  Matrices matrices;
  for (int i = 0; i < 32; ++i) std::memcpy(matrices.rows[i / 8][i % 8], shared_at(mine.at[i], 16), 16);
  meet(mine.meeting);
  return matrices;
}

WarpWords exchange_words(const std::uint32_t* words, int count) {
  Warp& mine = warp();
  std::copy_n(words, count, mine.words.of[lane()]);
  meet(mine.meeting);
  const WarpWords all = mine.words;
  meet(mine.meeting);
  return all;
}

}  // namespace host_machine

namespace {

using namespace host_machine;

std::unique_ptr<Block> start_block(int threads, int index, int count, std::int64_t shared_bytes, const std::function<void()>& body) {
  auto block = std::make_unique<Block>();
  block->index = index;
  block->count = count;
  block->shared.assign(static_cast<std::size_t>(shared_bytes), 0xff);
  block->threads.resize(static_cast<std::size_t>(threads));
  block->warps.resize(static_cast<std::size_t>(threads / 32));
  block->all.expected = threads;
  block->body = &body;
  for (int i = 0; i < threads; ++i) start(block->threads[static_cast<std::size_t>(i)], i);
  return block;
}

bool ended(const Block& block) {
  return std::ranges::all_of(block.threads, [](const Thread& thread) { return thread.done; });
}

void expect_the_end(const Block& block) {
  for (const Thread& thread : block.threads) {
    BS_REQUIRE(thread.additions.committed.empty(), "thread ", thread.index, " ended with additions on their way");
    BS_REQUIRE(thread.done, "thread ", thread.index, " of block ", block.index, " waits for threads that never come");
  }
  BS_REQUIRE(block.engine.empty(), "the block ended with copies on their way");
  for (const auto& [number, meeting] : block.numbered) BS_REQUIRE(meeting.arrived == 0, "the block ended with ", meeting.arrived, " threads at barrier ", number);
}

}  // namespace

void run_blocks(int blocks, int threads, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body) {
  for (int block = 0; block < blocks; ++block) {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(block));
    const auto one = start_block(threads, block, blocks, shared_bytes, body);
    the_block = one.get();
    while (run_warps(*one, random)) continue;
    the_block = nullptr;
    expect_the_end(*one);
  }
}

void run_blocks_together(int together, int blocks, int threads, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body) {
  std::mt19937_64 random(seed);
  std::vector<std::unique_ptr<Block>> running;
  for (int started = 0; started < blocks || !running.empty();) {
    while (started < blocks && running.size() < static_cast<std::size_t>(together)) running.push_back(start_block(threads, started++, blocks, shared_bytes, body));
    bool any = false;
    std::ranges::shuffle(running, random);
    for (const auto& block : running) {
      the_block = block.get();
      while (run_warps(*block, random)) {
        any = true;
        if (random() % 8 == 0) break;
      }
      the_block = nullptr;
    }
    if (!any)
      for (const auto& block : running) expect_the_end(*block);
    std::erase_if(running, [](const auto& block) {
      if (!ended(*block)) return false;
      expect_the_end(*block);
      return true;
    });
  }
}

}  // namespace bench::support
