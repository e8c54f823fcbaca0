// SPDX-License-Identifier: Apache-2.0
// The syntax tree of scaling/expression: made by expression_parser.cpp, walked by expression.cpp, seen by
// nobody else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/params.hpp"

namespace bench::scaling {

enum class ExpressionOp : std::uint8_t {
  literal,
  name,
  negate,
  logical_not,
  isqrt,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  power,
  minimum,
  maximum,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  logical_and,
  logical_or,
};

/// Nodes refer to their children by index, so a tree is copied and destroyed without recursion.
struct ExpressionNode {
  ExpressionOp op = ExpressionOp::literal;
  std::size_t column = 1;  // 1-based, where the operator or operand stands
  std::size_t left = 0;    // the only child of a unary operator
  std::size_t right = 0;
  Value value = std::int64_t{0};  // of a literal; of a name, its spelling as a string
  int depth = 1;                  // levels of the subtree: bounds the recursion of whoever walks it
};

/// The parser's result; children come before their parents, the root is last.
std::vector<ExpressionNode> parse_expression(std::string_view text);

/// Throws the usage error of `text`: it quotes the text and gives the column.
[[noreturn]] void expression_error(std::string_view text, std::size_t column, const std::string& problem);

}  // namespace bench::scaling
