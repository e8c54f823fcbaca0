// SPDX-License-Identifier: Apache-2.0
// The problem side of the kernel contract: what an op computes, what it costs and what the right answer is. One ruler for all rivals.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/params.hpp"
#include "src/core/registry.hpp"
#include "src/core/tensor.hpp"

namespace bench {

/// Base of every op's typed problem (AttentionProblem, RecurrenceProblem, ...). Implementations of op X downcast with problem_as<X>.
struct Problem {
  Problem() = default;
  Problem(const Problem&) = default;
  Problem& operator=(const Problem&) = default;
  virtual ~Problem() = default;

  DType dtype = DType::f32;   // of inputs and outputs; accumulation is fp32 or better
  std::string pass = "fwd";   // fwd | bwd
  std::int64_t ranks = 1;     // P: how many ranks share the problem
  std::int64_t threads = 1;   // per rank
};

template <class T>
const T& problem_as(const Problem& problem) {
  const auto* typed = dynamic_cast<const T*>(&problem);
  BS_REQUIRE(typed != nullptr, "a kernel was handed another op's problem");
  return *typed;
}

/// What the op cannot do without, counted over all ranks together (see docs/metrics.md for each formula).
struct Cost {
  double flops = 0.0;         // multiply and add count as two
  double bytes = 0.0;         // least traffic: each input read once, each output written once
  double bytes_written = 0.0; // of those, the outputs'; the plan fills it in
  double exps = 0.0;          // exponentials, where they can bind
  double wire_bytes = 0.0;    // least bytes each rank must send when the problem is cut over ranks; 0 on one rank
};

/// What is worth knowing of a problem's answer besides its time, such as what quantised weights lose: a column and a cell of the table.
struct Figure {
  std::string name;  // snake_case
  std::string unit;  // as of a column: 1, dB, ...
  double value = 0.0;
};

/// Integers that say which of its data a problem means, such as cu_seqlens or where a cache's pages lie: a function of its parameters alone. Saved
/// beside the tensors (--save-outputs), for whoever checks an answer elsewhere.
struct IndexTable {
  std::string name;  // in the field's terms
  Shape shape;
  std::vector<std::int64_t> values;
};

/// One parameter of an op: it becomes a flag, a study key, part of the case's identity and a column.
struct ParamSpec {
  std::string name;
  Value fallback;      // the default; its type is the parameter's type
  std::string help;    // with unit or allowed values
};

/// An op: the problem, its cost model and its fp64 reference. Registered once by kernels/<op>/<op>.cpp.
struct Op {
  std::string name;                // attention | recurrence | selective
  std::string help;
  std::vector<ParamSpec> params;   // besides the common ones (see common_params)

  /// Checks the values and makes the typed problem; a value out of range is a usage error naming the parameter.
  std::unique_ptr<Problem> (*parse)(const Params&);
  std::vector<TensorSpec> (*inputs)(const Problem&);
  std::vector<TensorSpec> (*outputs)(const Problem&);
  Cost (*cost)(const Problem&);
  /// Which global sequence positions rank r holds, ascending in storage order. Only called when ranks > 1.
  std::vector<std::int64_t> (*positions)(const Problem&, std::int64_t rank);
  /// The fp64 oracle, written to be read. Inputs are whole tensors in fp64, already rounded to the problem's dtype. Returns every output
  /// restricted, along its sequence axis, to the global positions in `rows` (ascending); outputs without such an axis come whole.
  Tensors (*reference)(const Problem&, const Tensors& inputs, std::span<const std::int64_t> rows);
  /// fp64 operations of the reference per sequence position, so that the harness can choose how many rows it can afford to check;
  /// 0 when the reference costs the same however few rows are asked for.
  double (*reference_ops_per_row)(const Problem&);
  /// Largest |error| / max|reference| that rounding alone explains for output `name`, fp32 accumulation assumed; see kernels/tolerance.hpp.
  double (*tolerance)(const Problem&, std::string_view output);
  /// Figures of the answer itself, the same for all kernels; the reference's inputs, rows and answer. None where a value would not be finite.
  /// Computed with the reference, outside of all times; null: the op has none.
  std::vector<Figure> (*figures)(const Problem&, const Tensors& inputs, std::span<const std::int64_t> rows, const Tensors& answer) = nullptr;
  /// The problem's tables of integers; null: it has none.
  std::vector<IndexTable> (*tables)(const Problem&) = nullptr;
  /// Another number of ranks is another problem with another answer, as where the ranks' own data meet; else ranks only share it.
  bool ranks_are_its_data = false;
};

/// ranks, threads, dtype and pass: every op has them.
const std::vector<ParamSpec>& common_params();
/// The op's parameters and the common ones at their defaults.
Params default_params(const Op& op);
/// Fills a Problem's common fields from the parameters. Called by each op's parse.
void parse_common(const Params& params, Problem& problem);

/// An integer parameter that must be 1 or more; throws a usage error naming it otherwise.
std::int64_t positive(const Params& params, const std::string& name);
/// kv_heads: a divisor of `heads`, or 0 for as many; throws a usage error otherwise.
std::int64_t parse_kv_heads(const Params& params, std::int64_t heads);
/// groups: a divisor of parameter `of`, whose value is `extent`; throws a usage error otherwise.
std::int64_t parse_groups(const Params& params, const char* of, std::int64_t extent);
/// Bytes of all inputs and outputs of the whole problem.
std::int64_t tensor_bytes(const Op& op, const Problem& problem);
/// Where contiguous rank r's share of L positions lies, and begins: the first L mod P ranks hold one more.
std::int64_t contiguous_begin(std::int64_t length, std::int64_t ranks, std::int64_t rank);
std::vector<std::int64_t> contiguous_positions(std::int64_t length, std::int64_t ranks, std::int64_t rank);

template <>
Registry<Op>& Registry<Op>::instance();

}  // namespace bench
