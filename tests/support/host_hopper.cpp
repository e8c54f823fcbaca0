// SPDX-License-Identifier: Apache-2.0
#include "tests/support/host_hopper.hpp"

#include <algorithm>
#include <cstring>

#include "src/core/error.hpp"
#include "tests/support/host_block.hpp"

namespace bench::support::host_machine {
namespace {

Barrier& barrier_at(std::uint32_t at) {
  shared_at(at, 8);
  const auto found = here().barriers.find(at);
  BS_REQUIRE(found != here().barriers.end(), "there is no barrier at ", at);
  return found->second;
}

void end_phase_if_complete(Barrier& barrier) {
  if (barrier.missing > 0 || barrier.bytes > 0) return;
  ++barrier.phases;
  barrier.missing = barrier.expected;
}

/// The 128-byte swizzle: bits 4 to 6 of an address, by those from 7 to 9.
std::uint32_t swizzled_address(std::uint32_t at) { return at ^ (at >> 7 & 7) << 4; }

std::size_t sixteen_bytes(std::uint32_t at) { return (at - kSharedBase) / 16; }

/// This thread's writes are not those that the copy engine and products read, until publish_writes().
void wrote(std::uint32_t at) {
  std::vector<int>& unpublished = here().unpublished;
  if (unpublished.empty()) unpublished.resize(here().shared.size() / 16 + 1);
  here().running->unpublished.push_back(sixteen_bytes(at));
  ++unpublished[sixteen_bytes(at)];
}

void require_published(std::uint32_t at, const char* reader) {
  const std::vector<int>& unpublished = here().unpublished;
  BS_REQUIRE(unpublished.empty() || unpublished[sixteen_bytes(at)] == 0, reader, " reads what was written at ", at, " and not published");
}

Chunk chunk_at(std::uint32_t at) {
  Chunk chunk;
  const std::uint32_t place = swizzled_address(at);
  std::memcpy(chunk.data(), shared_at(place, 16), 16);
  require_published(place, "a product");
  return chunk;
}

struct Fields {
  std::uint32_t start, leading, stride;
};
Fields fields_of(std::uint64_t descriptor) {
  BS_REQUIRE(descriptor >> 62 == 1, "a descriptor without the 128-byte swizzle");
  const auto bytes = [&](int bit) { return static_cast<std::uint32_t>(descriptor >> bit & 0x3fff) << 4; };
  return {bytes(0), bytes(16), bytes(32)};
}

void copy_rows(std::uint32_t to, const HostTensorMap& map, int x, int y, int z, int w) {
  for (int row = 0; row < map.box_y * map.box_z; ++row)
    for (int column = 0; column < 64; ++column) {
      const std::int64_t from_x = x + column, from_y = y + row % map.box_y, from_z = z + row / map.box_y;
      const bool there = from_x < map.x && from_y < map.y && from_z < map.z && w < map.w;
      const std::uint16_t bits = there ? map.base[((w * map.z + from_z) * map.y + from_y) * map.x + from_x] : std::uint16_t{0};
      std::memcpy(shared_at(swizzled_address(to + static_cast<std::uint32_t>(row * 128 + column * 2)), 2), &bits, 2);
    }
}

void store_rows(const HostTensorMap& map, std::uint32_t from, int x, int y, int z) {
  for (int row = 0; row < map.box_y; ++row)
    for (int column = 0; column < 64; ++column)
      if (x + column < map.x && y + row < map.y && z < map.z)
        std::memcpy(map.base + (z * map.y + y + row) * map.x + x + column, shared_at(swizzled_address(from + static_cast<std::uint32_t>(row * 128 + column * 2)), 2), 2);
}

Meeting& numbered(int number, int threads) {
  BS_REQUIRE(number > 0 && number < 16 && threads % 32 == 0, "barrier ", number, " of ", threads, " threads");
  Meeting& meeting = here().numbered[number];
  BS_REQUIRE(meeting.arrived == 0 || meeting.expected == threads, "barrier ", number, " is one of ", meeting.expected, " threads, not ", threads);
  meeting.expected = threads;
  return meeting;
}

}  // namespace

void start_barrier(std::uint32_t barrier, int arrivals) {
  shared_at(barrier, 8);
  here().barriers[barrier] = {arrivals, arrivals, 0, 0};
}

void arrive(std::uint32_t at, int bytes) {
  Barrier& barrier = barrier_at(at);
  BS_REQUIRE(barrier.missing > 0, "one arrival too many at a barrier");
  barrier.bytes += bytes;
  --barrier.missing;
  end_phase_if_complete(barrier);
}

void await(std::uint32_t at, int parity) {
  const Barrier& barrier = barrier_at(at);
  wait_until([&barrier, parity] { return static_cast<int>(barrier.phases % 2) != parity; });
}

void copy_box(std::uint32_t to, const HostTensorMap& map, std::uint32_t at, int x, int y, int z, int w) {
  BS_REQUIRE(to % 1024 == 0, "a box with a 128-byte swizzle begins at ", to);
  Barrier& barrier = barrier_at(at);
  here().engine.push_back([to, &map, &barrier, x, y, z, w] {
    copy_rows(to, map, x, y, z, w);
    barrier.bytes -= map.box_y * map.box_z * 128;
    end_phase_if_complete(barrier);
  });
}

void copy_bytes(std::uint32_t to, const void* from, int bytes, std::uint32_t at) {
  BS_REQUIRE(to % 16 == 0 && bytes % 16 == 0 && reinterpret_cast<std::uintptr_t>(from) % 16 == 0, bytes, " bytes are copied to ", to, ": no multiples of 16");
  Barrier& barrier = barrier_at(at);
  here().engine.push_back([to, from, bytes, &barrier] {
    for (int i = 0; i < bytes; i += 16) std::memcpy(shared_at(to + static_cast<std::uint32_t>(i), 16), static_cast<const std::uint8_t*>(from) + i, 16);
    barrier.bytes -= bytes;
    end_phase_if_complete(barrier);
  });
}

void add_bytes(float* to, std::uint32_t from, int bytes) {
  BS_REQUIRE(from % 16 == 0 && bytes % 16 == 0 && reinterpret_cast<std::uintptr_t>(to) % 16 == 0, bytes, " bytes are added from ", from, ": no multiples of 16");
  here().running->additions.open.push_back([to, from, bytes] {
    std::vector<float> numbers(static_cast<std::size_t>(bytes) / sizeof(float));
    for (std::size_t i = 0; i < numbers.size(); ++i) std::memcpy(&numbers[i], shared_at(from + static_cast<std::uint32_t>(i * sizeof(float)), 4), 4);
    here().running->landing.push_back([to, numbers] {
      for (std::size_t i = 0; i < numbers.size(); ++i) to[i] += numbers[i];
    });
  });
  here().running->additions.commit();
}

void wait_additions() {
  here().running->additions.wait(0, [](const Work& addition) { addition(); });
}
void end_additions() {
  wait_additions();
  sleep();
  for (const Work& addition : here().running->landing) addition();
  here().running->landing.clear();
}

void sync_warp() { meet(here().warps[static_cast<std::size_t>(here().running->index / 32)].meeting); }

void store_floats(std::uint32_t at, const float* x) { std::memcpy(shared_at(at, 16), x, 16); }
void load_floats(float (&x)[4], std::uint32_t at) { std::memcpy(x, shared_at(at, 16), 16); }

void store_box(const HostTensorMap& map, std::uint32_t from, int x, int y, int z) {
  BS_REQUIRE(from % 1024 == 0, "a box with a 128-byte swizzle begins at ", from);
  for (std::uint32_t at = from; at < from + static_cast<std::uint32_t>(map.box_y) * 128; at += 16) require_published(at, "the copy engine");
  const std::shared_ptr<int> group = here().running->stores.open;
  ++*group;
  here().engine.push_back([&map, from, x, y, z, group] {
    store_rows(map, from, x, y, z);
    --*group;
  });
}

void commit_stores() {
  Stores& stores = here().running->stores;
  stores.committed.push_back(stores.open);
  stores.open = std::make_shared<int>(0);
}

void wait_stores_read() {
  const Stores& stores = here().running->stores;
  wait_until([&stores] { return std::ranges::all_of(stores.committed, [](const auto& unread) { return *unread == 0; }); });
}

void publish_writes() {
  for (const std::size_t which : here().running->unpublished) --here().unpublished[which];
  here().running->unpublished.clear();
}

void store_matrix(std::uint32_t to, const std::uint32_t (&in)[4]) {
  const WarpWords all = exchange_words(in, 4);
  const int lane = here().running->index % 32, matrix = lane / 8, row = lane % 8;  // whose place is `to`
  for (int pair = 0; pair < 4; ++pair) std::memcpy(shared_at(to, 16) + pair * 4, &all.of[row * 4 + pair][matrix], 4);
  wrote(to);
}

void store_word_for_products(std::uint32_t at, std::uint32_t word) {
  store_word(at, word);
  wrote(at);
}

void meet(int number, int threads) { meet(numbered(number, threads)); }
void signal(int number, int threads) { signal(numbered(number, threads)); }


void add_product(std::function<void()> product) { here().running->products.open.push_back(std::move(product)); }
void commit_products() { here().running->products.commit(); }
void wait_products(int pending) {
  sleep();
  here().running->products.wait(pending, [](const Work& product) { product(); });
}

Chunk chunk_of_columns(std::uint64_t descriptor, int r, int k) {
  const Fields at = fields_of(descriptor);
  return chunk_at(at.start + static_cast<std::uint32_t>(r / 8) * at.stride + static_cast<std::uint32_t>(r % 8 * 128 + k * 16));
}

Chunk chunk_of_rows(std::uint64_t descriptor, int k, int n) {
  const Fields at = fields_of(descriptor);
  return chunk_at(at.start + static_cast<std::uint32_t>(n / 8) * at.leading + static_cast<std::uint32_t>(k / 8) * at.stride +
                  static_cast<std::uint32_t>(k % 8 * 128 + n % 8 * 16));
}

}  // namespace bench::support::host_machine
