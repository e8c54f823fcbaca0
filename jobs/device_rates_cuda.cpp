// SPDX-License-Identifier: Apache-2.0
// The rates of a CUDA device. Each kernel's result is looked at once before it is timed: one that does not do its work would be the fastest.
#include <algorithm>
#include <cmath>
#include <vector>

#include "jobs/device_gemm_cuda.hpp"
#include "jobs/device_rates.hpp"
#include "jobs/device_report_cuda.hpp"
#include "jobs/stream_kernels_cuda.hpp"
#include "kernels/device_tensors_cuda.hpp"
#include "src/core/out_of_memory.hpp"
#include "src/device/device.hpp"

namespace bench::jobs {
namespace {

using device::DeviceBuffer;

constexpr std::int64_t kTraffic = std::int64_t{1} << 30;  // bytes of each array in one timed call: 0.2 ms and more on what there is today
constexpr std::int64_t kExpRounds = 2048;
constexpr std::uint32_t kTimesA = 1, kTimesB = 5, kTimesTriad = kTimesA + 3 * kTimesB;  // of the words in the arrays

/// Every word of `data` is `times` the word of its place.
bool holds(const DeviceBuffer& data, std::uint32_t times) {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(data.bytes()) / sizeof(std::uint32_t));
  copy_from_device(words.data(), data.data(), data.bytes());
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i] != word_of(static_cast<std::uint32_t>(i / 4), static_cast<int>(i % 4), times)) return false;
  return true;
}

bool sums_to(const DeviceBuffer& sink, std::uint32_t wanted) {
  std::vector<std::uint32_t> sums(static_cast<std::size_t>(sink.bytes()) / sizeof(std::uint32_t));
  copy_from_device(sums.data(), sink.data(), sink.bytes());
  std::uint32_t sum = 0;
  for (const std::uint32_t of_thread : sums) sum += of_thread;
  return sum == wanted;
}

bool all_near(const DeviceBuffer& sink, float wanted) {
  std::vector<float> values(static_cast<std::size_t>(sink.bytes()) / sizeof(float));
  copy_from_device(values.data(), sink.data(), sink.bytes());
  return std::ranges::all_of(values, [&](float value) { return std::abs(value - wanted) <= 1e-4F * wanted; });  // ex2.approx: 2^-22
}

class Meter {
 public:
  explicit Meter(Timer& timer) : timer_(timer), device_(device::properties(device::current())) {}

  std::vector<DeviceRate> all() {
    for (const std::int64_t bytes : working_sets(device_.l2_bytes)) {
      attempt({RateKind::copy, bytes, 0.0, {}}, [&](DeviceRate& rate) { copy(rate); });
      attempt({RateKind::triad, bytes, 0.0, {}}, [&](DeviceRate& rate) { triad(rate); });
      attempt({RateKind::read, bytes, 0.0, {}}, [&](DeviceRate& rate) { read(rate); });
    }
    attempt({RateKind::exp, 0, 0.0, {}}, [&](DeviceRate& rate) { exponential(rate); });
    attempt({RateKind::bf16, 0, 0.0, {}}, [&](DeviceRate& rate) { product(rate, DType::bf16); });
    attempt({RateKind::fp16, 0, 0.0, {}}, [&](DeviceRate& rate) { product(rate, DType::f16); });
    attempt({RateKind::fp32, 0, 0.0, {}}, [&](DeviceRate& rate) { product(rate, DType::f32); });
    return std::move(rates_);
  }

 private:
  /// A rate whose data find no room, or whose kernel does not do its work, has a note instead.
  template <class Measure>
  void attempt(DeviceRate rate, Measure&& measure) {
    try {
      measure(rate);
    } catch (const OutOfMemory& error) {
      rate.note = error.what();
    } catch (const Error& error) {
      rate.note = error.what();
    }
    rates_.push_back(std::move(rate));
  }

  /// Calls once, looks at what it did, and times.
  template <class Call, class Right>
  void time(DeviceRate& rate, double amount, Call&& call, Right&& right) {
    call();
    timer_.wait();
    if (!right()) throw Error(ErrorKind::internal, "a wrong result: its rate would mean nothing");
    rate.per_s = median_rate(timer_, amount, call);
  }

  Sweep sweep(const DeviceBuffer& array) const { return sweep_of(array.bytes(), device_.sm_count, kTraffic); }
  DeviceBuffer array(std::int64_t bytes, std::uint32_t times) const {
    DeviceBuffer made(std::max(bytes / kPieceBytes, std::int64_t{1}) * kPieceBytes);
    fill(timer_.stream(), made, times);
    return made;
  }
  static double bytes_of(const Sweep& sweep) { return static_cast<double>(sweep.pieces() * kPieceBytes); }

  void copy(DeviceRate& rate) {
    const DeviceBuffer from = array(rate.bytes / 2, kTimesA), to = array(rate.bytes / 2, 0);
    const Sweep s = sweep(from);
    time(rate, 2.0 * bytes_of(s), [&] { copy_over(timer_.stream(), s, from, to); }, [&] { return holds(to, kTimesA); });
  }
  void triad(DeviceRate& rate) {
    const DeviceBuffer a = array(rate.bytes / 3, kTimesA), b = array(rate.bytes / 3, kTimesB), to = array(rate.bytes / 3, 0);
    const Sweep s = sweep(a);
    time(rate, 3.0 * bytes_of(s), [&] { triad_over(timer_.stream(), s, a, b, to); }, [&] { return holds(to, kTimesTriad); });
  }
  void read(DeviceRate& rate) {
    const DeviceBuffer from = array(rate.bytes, kTimesA);
    const Sweep s = sweep(from);
    const DeviceBuffer sink(s.threads() * static_cast<std::int64_t>(sizeof(std::uint32_t)));
    time(rate, bytes_of(s), [&] { read_over(timer_.stream(), s, from, sink); }, [&] { return sums_to(sink, sum_of_words(s, kTimesA)); });
  }
  void exponential(DeviceRate& rate) {
    const auto blocks = static_cast<std::uint32_t>(kBlocksPerSm * device_.sm_count);
    const std::int64_t threads = std::int64_t{blocks} * Sweep::kThreads;
    const DeviceBuffer sink(threads * static_cast<std::int64_t>(sizeof(float)));
    time(rate, static_cast<double>(threads * kChains * kExpRounds), [&] { exponentials(timer_.stream(), blocks, kExpRounds, sink); },
         [&] { return all_near(sink, static_cast<float>(kChains) * kFixedPoint); });
  }
  void product(DeviceRate& rate, DType dtype) {
    const DeviceProduct product = device_product(dtype);
    rate.note = product.by;
    time(rate, product.flops, [&] { product.enqueue(timer_.stream()); }, [] { return true; });  // its kernels have tests of their own
  }

  Timer& timer_;
  device::Properties device_;
  std::vector<DeviceRate> rates_;
};

std::vector<DeviceRate> cuda_rates(const Clock& clock, int local_rank) {
  const std::unique_ptr<Timer> timer = make_timer(Backend::cuda, clock, 0, local_rank);
  return Meter(*timer).all();
}

const Registrar<DeviceMeter> registrar{{.name = "cuda", .report = cuda_report, .rates = cuda_rates}};

}  // namespace
}  // namespace bench::jobs
