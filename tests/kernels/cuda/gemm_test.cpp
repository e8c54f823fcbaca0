// SPDX-License-Identifier: Apache-2.0
// The device's products of matrices, run on the host thread by thread and held against sums in fp64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/gemm_fma.hpp"
#include "kernels/cuda/gemm_mma.hpp"
#include "src/core/rng.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::cuda {
namespace {

using support::HostMachine;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A batch of matrices of rows x columns, `pitch` apart, random; NaN in the columns from `columns` on, less those up to `zeros`, and in `gap` elements between items.
template <class T>
struct Matrices {
  int rows, columns, pitch;
  std::int64_t step;
  std::vector<T> data;

  Matrices(int items, int r, int c, int p, int zeros, int gap, const char* stream) : rows(r), columns(c), pitch(p), step(std::int64_t{r} * p + gap) {
    const CounterRng random(1, stream);
    data.assign(static_cast<std::size_t>(items * step), store<T>(kNan));
    for (std::int64_t i = 0; i < items; ++i)
      for (int row = 0; row < rows; ++row)
        for (int column = 0; column < zeros; ++column) {
          const std::int64_t at = i * step + std::int64_t{row} * pitch + column;
          data[static_cast<std::size_t>(at)] = store<T>(column < columns ? random.normal(static_cast<std::uint64_t>(at)) : 0.0);
        }
  }
  double at(int item, int row, int column) const { return load(data[static_cast<std::size_t>(item * step + std::int64_t{row} * pitch + column)]); }
};

struct Shape {
  int m, n, k;
  int batch = 1, share = 1;
};

int up_to_eight(int n) { return (n + 7) / 8 * 8; }

/// Body: the product to try. Operands' pitches are more than their columns; for 16 bits what lies between K and the next multiple of 8 is zero, as the contract wants.
template <class Body, class T, class Out, GemmForm kForm, class Tiles = EveryTile>
struct Trial {
  Shape shape;
  int pad, gap;  // of pitches, between items
  Matrices<T> a, b;
  Matrices<Out> c;
  GemmJob job{};

  explicit Trial(const Shape& s, int padding = 8, int between = 64)
      : shape(s),
        pad(padding),
        gap(between),
        a(matrix<T>(s.batch, kForm == GemmForm::tn ? s.k : s.m, kForm == GemmForm::tn ? s.m : s.k, "a")),
        b(matrix<T>(s.batch / s.share, kForm == GemmForm::nt ? s.n : s.k, kForm == GemmForm::nt ? s.k : s.n, "b")),
        c(s.batch, s.m, s.n, pad == 0 ? s.n : up_to_eight(s.n) + pad, 0, gap, "c") {
    job = {a.data.data(), b.data.data(), c.data.data(), s.m, s.n, s.k, a.pitch, b.pitch, c.pitch, a.step, b.step, c.step, s.batch, s.share, 0.5F};
  }
  template <class E>
  Matrices<E> matrix(int items, int rows, int columns, const char* stream) const {
    return {items, rows, columns, pad == 0 ? columns : up_to_eight(columns) + pad, pad == 0 ? columns : up_to_eight(columns), gap, stream};
  }

  void run(const Tiles& tiles = {}, std::uint64_t seed = 1) {
    support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(job, tiles).run(); });
  }

  double want(int item, int row, int column) const {
    double sum = 0.0;
    for (int k = 0; k < shape.k; ++k)
      sum += (kForm == GemmForm::tn ? a.at(item, k, row) : a.at(item, row, k)) *
             (kForm == GemmForm::nt ? b.at(item / shape.share, column, k) : b.at(item / shape.share, k, column));
    return sum * 0.5;
  }
  /// Sums in fp32 of up to 300 products: eps 1.2e-7 times some tens; and the rounding of the output.
  void expect_the_sums() const {
    const double allowed = 2e-5 + (sizeof(Out) == 2 ? epsilon_of(DType::bf16) * 16.0 : 0.0);
    for (int item = 0; item < shape.batch; ++item)
      for (int row = 0; row < shape.m; ++row)
        for (int column = 0; column < shape.n; ++column)
          ASSERT_NEAR(c.at(item, row, column), want(item, row, column), allowed) << "item " << item << " row " << row << " column " << column;
  }
  /// Nothing behind the last row, nor behind the next multiple of eight columns.
  void expect_nothing_else() const {
    for (int item = 0; item < shape.batch; ++item)
      for (std::int64_t at = 0; at < c.step; ++at) {
        const bool inside = at < std::int64_t{shape.m} * c.pitch && at % c.pitch < up_to_eight(shape.n);
        if (inside) continue;
        ASSERT_TRUE(std::isnan(load(c.data[static_cast<std::size_t>(item * c.step + at)]))) << "item " << item << " element " << at;
      }
  }
};

template <class Body, class T, class Out, GemmForm kForm>
void expect_right(const Shape& shape, int padding = 8) {
  SCOPED_TRACE(concat("M ", shape.m, " N ", shape.n, " K ", shape.k, " batch ", shape.batch, " share ", shape.share));
  Trial<Body, T, Out, kForm> trial(shape, padding);
  trial.run();
  trial.expect_the_sums();
  trial.expect_nothing_else();
}

template <class Out, GemmForm kForm, int kColumns, class T = Bf16>
void expect_mma(const Shape& shape) {
  expect_right<GemmMma<HostMachine, T, Out, kForm, kColumns>, T, Out, kForm>(shape);
}
template <GemmForm kForm, int kColumns>
void expect_fma(const Shape& shape, int padding = 8) {
  expect_right<GemmFma<HostMachine, kForm, kColumns>, float, float, kForm>(shape, padding);
}

// Tiles are 128 rows, 64 or 128 columns and 64 of K, in three stages.
TEST(GemmMma, AddsUpEverySizeOfK) {
  for (const int k : {8, 64, 72, 128, 192, 200, 264}) expect_mma<float, GemmForm::nt, 128>({16, 16, k});  // one step to five
  for (const int k : {1, 7, 63, 65, 129, 193}) expect_mma<float, GemmForm::nn, 64>({16, 16, k});
  for (const int k : {1, 63, 65, 130}) expect_mma<float, GemmForm::tn, 64>({16, 16, k});
}

TEST(GemmMma, EndsWhereMatricesEnd) {
  for (const int m : {1, 129})
    for (const int n : {8, 63, 136}) {
      expect_mma<float, GemmForm::nt, 128>({m, n, 72});
      expect_mma<float, GemmForm::nt, 64>({m, n, 72});
    }
  for (const int n : {8, 64, 72, 128, 136}) {
    expect_mma<float, GemmForm::nn, 128>({130, n, 70});
    expect_mma<float, GemmForm::nn, 64>({130, n, 70});
    expect_mma<float, GemmForm::tn, 128>({130, n, 70});
    expect_mma<float, GemmForm::tn, 64>({72, n, 70});
  }
}

TEST(GemmMma, RoundsToSixteenBits) {
  expect_mma<Bf16, GemmForm::nn, 64>({70, 40, 100});
  expect_mma<Bf16, GemmForm::tn, 128>({70, 136, 100});
  expect_mma<F16, GemmForm::nn, 128, F16>({70, 136, 100});
  expect_mma<float, GemmForm::nt, 128, F16>({70, 136, 96});
}

TEST(GemmMma, TakesBatchesWhoseItemsShareAnOperand) {
  expect_mma<float, GemmForm::nt, 128>({130, 40, 24, 4, 2});
  expect_mma<Bf16, GemmForm::nn, 64>({130, 40, 50, 6, 3});
}

TEST(GemmMma, HasTheSameBitsInWhateverOrderThreadsTakeTurns) {
  using Body = GemmMma<HostMachine, Bf16, float, GemmForm::nt, 128>;
  Trial<Body, Bf16, float, GemmForm::nt> first({64, 64, 264}), again({64, 64, 264});
  first.run();
  for (const std::uint64_t seed : {2, 3, 4}) {
    again.run({}, seed);
    for (int row = 0; row < 64; ++row)
      for (int column = 0; column < 64; ++column) ASSERT_EQ(first.c.at(0, row, column), again.c.at(0, row, column)) << seed;
  }
}

// Steps are eight of K.
TEST(GemmFma, AddsUpEverySizeOfK) {
  for (const int k : {1, 7, 8, 9, 16, 17, 33}) {
    expect_fma<GemmForm::nt, 128>({16, 16, k});
    expect_fma<GemmForm::nn, 64>({16, 16, k});
    expect_fma<GemmForm::tn, 64>({16, 16, k});
  }
}

TEST(GemmFma, EndsWhereMatricesEnd) {
  for (const int m : {1, 63, 129})
    for (const int n : {1, 63, 65, 131}) {
      expect_fma<GemmForm::nt, 128>({m, n, 10});
      expect_fma<GemmForm::nn, 128>({m, n, 10});
      expect_fma<GemmForm::nn, 64>({m, n, 10});
      expect_fma<GemmForm::tn, 64>({m, n, 10});
    }
}

TEST(GemmFma, TakesRowsThatBeginAnywhere) { expect_fma<GemmForm::nn, 64>({37, 13, 11}, /*padding=*/0); }

TEST(GemmFma, TakesBatchesWhoseItemsShareAnOperand) { expect_fma<GemmForm::nt, 128>({130, 40, 24, 4, 2}); }

/// Leaves out tiles left of column 64, and all of K but its second step.
struct SomeTiles {
  bool skips(const GemmPlace& at, int, int columns) const { return at.column0 + columns <= 64; }
  GemmSteps steps(const GemmPlace&, int, int k) const { return {64, std::min(k, 128)}; }
};

TEST(Gemm, LeavesOutTilesAndStepsThatItIsToldTo) {
  using Body = GemmMma<HostMachine, Bf16, float, GemmForm::nt, 64, SomeTiles>;
  Trial<Body, Bf16, float, GemmForm::nt, SomeTiles> trial({16, 128, 192});
  trial.run();
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 128; ++column) {
      double sum = 0.0;
      for (int k = 64; k < 128; ++k) sum += trial.a.at(0, row, k) * trial.b.at(0, column, k) * 0.5;
      if (column < 64)
        ASSERT_TRUE(std::isnan(trial.c.at(0, row, column)));
      else
        ASSERT_NEAR(trial.c.at(0, row, column), sum, 2e-5);
    }
}

TEST(Gemm, GivesEveryTileToOneBlock) {
  GemmJob job{};
  job.m = 300;
  job.n = 200;
  job.batch = 3;
  std::vector<int> seen(3 * 300 * 200);
  for (int block = 0; block < job.tiles(128, 64); ++block) {
    const GemmPlace at(job, block, 128, 64);
    for (int row = at.row0; row < std::min(at.row0 + 128, 300); ++row)
      for (int column = at.column0; column < std::min(at.column0 + 64, 200); ++column) ++seen[static_cast<std::size_t>((at.item * 300 + row) * 200 + column)];
  }
  for (const int times : seen) ASSERT_EQ(times, 1);
}

/// The column-major product, in fp64, into a row-major C.
template <class T>
void blas(const GemmJob& job, GemmForm form, std::vector<float>& c) {
  const ColumnMajorGemm g = column_major(job, form);
  for (int item = 0; item < job.batch; ++item) {
    const T* const left = static_cast<const T*>(g.left) + item * g.step_left;
    const T* const right = static_cast<const T*>(g.right) + item * g.step_right;
    for (int row = 0; row < g.m; ++row)
      for (int column = 0; column < g.n; ++column) {
        double sum = 0.0;
        for (int k = 0; k < g.k; ++k)
          sum += double{load(left[g.transpose_left ? k + std::int64_t{row} * g.pitch_left : row + std::int64_t{k} * g.pitch_left])} *
                 load(right[g.transpose_right ? column + std::int64_t{k} * g.pitch_right : k + std::int64_t{column} * g.pitch_right]);
        c[static_cast<std::size_t>(item * job.step_c + row + std::int64_t{column} * job.pitch_c)] = static_cast<float>(sum * double{job.scale});
      }
  }
}

template <GemmForm kForm>
void expect_blas_to_agree(const Shape& shape) {
  Trial<GemmFma<HostMachine, kForm, 64>, float, float, kForm> trial(shape, 8, /*between=*/0);  // items behind one another, as stacked() wants
  blas<float>(shape.share > 1 ? stacked(trial.job) : trial.job, kForm, trial.c.data);
  trial.expect_the_sums();
}

TEST(Gemm, IsTheSameProductInBlasOrder) {
  expect_blas_to_agree<GemmForm::nt>({5, 7, 3, 2});
  expect_blas_to_agree<GemmForm::nn>({5, 7, 3, 2});
  expect_blas_to_agree<GemmForm::tn>({5, 7, 3, 2});
}

TEST(Gemm, StacksItemsThatShareAnOperand) {
  expect_blas_to_agree<GemmForm::nt>({5, 7, 3, 4, 2});
  expect_blas_to_agree<GemmForm::nn>({5, 7, 3, 6, 3});
}

}  // namespace
}  // namespace bench::cuda
