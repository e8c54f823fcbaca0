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

void leave_turn() { swapcontext(&the_block->running->context, &the_block->scheduler); }

void thread_main() {
  Thread& self = *the_block->running;
  try {
    (*the_block->body)();
    for (const auto& group : self.stores.committed) BS_REQUIRE(*group == 0, "a thread ended before its stores had read their boxes");
    BS_REQUIRE(*self.stores.open == 0, "a thread ended with stores that it had not committed");
  } catch (...) {
    the_block->failure = std::current_exception();
  }
  self.done = true;
  leave_turn();
}

void start(Block& block, Thread& thread, int index) {
  thread.index = index;
  thread.stack = std::make_unique_for_overwrite<std::byte[]>(kStack_bytes);
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.get();
  thread.context.uc_stack.ss_size = kStack_bytes;
  thread.context.uc_link = &block.scheduler;
  makecontext(&thread.context, thread_main, 0);
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
    block.running = &thread;
    swapcontext(&block.scheduler, &thread.context);
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

/// A round of turns: a warp goes on alone for as long as it can, or until it is interrupted, and then another one does. Boxes arrive when nobody can
/// go on, and now and then before. False when there is nothing left to do.
bool take_round(Block& block, std::mt19937_64& random) {
  constexpr int kInterruption = 64, kDelivery = 4;  // one turn in so many
  the_block = &block;
  std::vector<int> warps(block.warps.size());
  std::iota(warps.begin(), warps.end(), 0);
  std::ranges::shuffle(warps, random);
  bool any = false;
  for (const int warp : warps)
    while (take_turns(block, warp, random)) {
      any = true;
      if (random() % kInterruption == 0) break;
    }
  if (!any || random() % kDelivery == 0) any = deliver(block, random) || any;
  ++block.rounds;
  return any || block.asleep > 0;
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

using host_machine::Block;

std::unique_ptr<Block> start_block(int threads, int index, int count, std::int64_t shared_bytes, const std::function<void()>& body) {
  auto block = std::make_unique<Block>();
  block->index = index;
  block->count = count;
  block->shared.assign(static_cast<std::size_t>(shared_bytes), 0xff);
  block->threads.resize(static_cast<std::size_t>(threads));
  block->warps.resize(static_cast<std::size_t>(threads / 32));
  block->all.expected = threads;
  block->body = &body;
  for (int i = 0; i < threads; ++i) host_machine::start(*block, block->threads[static_cast<std::size_t>(i)], i);
  return block;
}

void end_block(const Block& block) {
  for (const host_machine::Thread& thread : block.threads) BS_REQUIRE(thread.done, "thread ", thread.index, " waits for threads that never come");
  BS_REQUIRE(block.engine.empty(), "the block ended with copies on their way");
  for (const auto& [number, meeting] : block.numbered) BS_REQUIRE(meeting.arrived == 0, "the block ended with ", meeting.arrived, " threads at barrier ", number);
}

}  // namespace

void run_blocks(int blocks, int threads, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body) {
  for (int i = 0; i < blocks; ++i) {
    const auto block = start_block(threads, i, blocks, shared_bytes, body);
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(i));
    while (host_machine::take_round(*block, random)) {
    }
    end_block(*block);
  }
}

void run_blocks_together(int blocks, int threads, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body) {
  std::vector<std::unique_ptr<Block>> all;
  for (int i = 0; i < blocks; ++i) all.push_back(start_block(threads, i, blocks, shared_bytes, body));
  std::mt19937_64 random(seed);
  std::vector<Block*> busy;
  for (const auto& block : all) busy.push_back(block.get());
  while (!busy.empty()) {
    const std::size_t which = random() % busy.size();
    if (!host_machine::take_round(*busy[which], random)) busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(which));
  }
  for (const auto& block : all) end_block(*block);
}

}  // namespace bench::support
