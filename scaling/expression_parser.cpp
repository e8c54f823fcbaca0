// SPDX-License-Identifier: Apache-2.0
// Recursive descent with one loop for all binary operators (precedence climbing). Depth is counted on the way
// down, for brackets and prefix operators, and on the way up, for chains: whatever passes here is walked
// within Expression::kMaxDepth levels.
#include <algorithm>
#include <array>
#include <optional>

#include "scaling/expression.hpp"
#include "scaling/expression_ast.hpp"
#include "scaling/value.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

struct BinaryOperator {
  std::string_view symbol;
  ExpressionOp op;
  int binding;  // larger binds tighter
};

// A symbol that starts with another one must come before it.
constexpr std::array<BinaryOperator, 13> kBinary{{{"||", ExpressionOp::logical_or, 1},
                                                  {"&&", ExpressionOp::logical_and, 2},
                                                  {"==", ExpressionOp::equal, 3},
                                                  {"!=", ExpressionOp::not_equal, 3},
                                                  {"<=", ExpressionOp::less_equal, 3},
                                                  {">=", ExpressionOp::greater_equal, 3},
                                                  {"<", ExpressionOp::less, 3},
                                                  {">", ExpressionOp::greater, 3},
                                                  {"+", ExpressionOp::add, 4},
                                                  {"-", ExpressionOp::subtract, 4},
                                                  {"*", ExpressionOp::multiply, 5},
                                                  {"/", ExpressionOp::divide, 5},
                                                  {"%", ExpressionOp::modulo, 5}}};

struct Function {
  std::string_view name;
  ExpressionOp op;
  bool binary;
};

constexpr std::array<Function, 3> kFunctions{{{"min", ExpressionOp::minimum, true},
                                              {"max", ExpressionOp::maximum, true},
                                              {"isqrt", ExpressionOp::isqrt, false}}};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<ExpressionNode> parse() {
    binary(1, 1);
    if (position_ < text_.size()) fail_here("an operator or the end");
    return std::move(nodes_);
  }

 private:
  // Each parsing function returns the index of the node it made; `level` is how deep the recursion is.
  std::size_t binary(int loosest, int level) {
    std::size_t left = prefix(level);
    while (const BinaryOperator* next = peek_operator()) {
      if (next->binding < loosest) break;
      const std::size_t column = position_ + 1;
      position_ += next->symbol.size();
      const std::size_t right = binary(next->binding + 1, level + 1);
      left = add_node(next->op, column, left, right);
    }
    return left;
  }

  std::size_t prefix(int level) {
    check_depth(level);
    skip_blanks();
    const std::size_t column = position_ + 1;
    if (take("-")) {
      const std::size_t child = prefix(level + 1);
      return add_node(ExpressionOp::negate, column, child, child);
    }
    if (take("!")) {
      const std::size_t child = prefix(level + 1);
      return add_node(ExpressionOp::logical_not, column, child, child);
    }
    return power(level);
  }

  std::size_t power(int level) {
    const std::size_t base = operand(level);
    skip_blanks();
    const std::size_t column = position_ + 1;
    if (!take("^")) return base;
    return add_node(ExpressionOp::power, column, base,
                    prefix(level + 1));  // 2^3^2 = 2^9, 2^-1 parses and fails later
  }

  std::size_t operand(int level) {
    const std::size_t column = position_ + 1;
    if (position_ == text_.size()) fail_here("a number, a name, a 'text' or '('");
    const char c = text_[position_];
    if (is_digit(c)) return number(column);
    if (c == '\'' || c == '"') return quoted(column);
    if (is_name_start(c)) return word(column, level);
    if (!take("(")) fail_here("a number, a name, a 'text' or '('");
    const std::size_t inner = binary(1, level + 1);
    expect(")");
    return inner;
  }

  std::size_t number(std::size_t column) {
    const ScannedInteger scanned = scan_integer(text_.substr(position_));
    if (scanned.overflow) expression_error(text_, column, "the number does not fit in 63 bits");
    position_ += scanned.length;
    if (position_ < text_.size() && (is_name_part(text_[position_]) || text_[position_] == '.'))
      fail_here("an integer with at most a suffix k, m or g");
    return add_leaf(ExpressionOp::literal, column, scanned.value);
  }

  std::size_t quoted(std::size_t column) {
    ScannedText scanned = scan_quoted(text_.substr(position_));
    if (scanned.length == 0) expression_error(text_, column, "the closing quote is missing");
    position_ += scanned.length;
    return add_leaf(ExpressionOp::literal, column, std::move(scanned.content));
  }

  std::size_t word(std::size_t column, int level) {
    const std::size_t begin = position_;
    while (position_ < text_.size() && is_name_part(text_[position_])) ++position_;
    const std::string_view name = text_.substr(begin, position_ - begin);
    if (name == "true" || name == "false") return add_leaf(ExpressionOp::literal, column, name == "true");
    skip_blanks();
    if (position_ == text_.size() || text_[position_] != '(')
      return add_leaf(ExpressionOp::name, column, std::string(name));
    return call(name, column, level);
  }

  std::size_t call(std::string_view name, std::size_t column, int level) {
    const auto* function =
        std::find_if(kFunctions.begin(), kFunctions.end(), [&](const Function& f) { return f.name == name; });
    if (function == kFunctions.end())
      expression_error(text_, column,
                       concat("there is no function ", show(name), "; known: min(a,b), max(a,b), isqrt(a)"));
    expect("(");
    const std::size_t first = binary(1, level + 1);
    std::size_t second = first;
    if (function->binary) {
      expect(",");
      second = binary(1, level + 1);
    }
    expect(")");
    return add_node(function->op, column, first, second);
  }

  const BinaryOperator* peek_operator() {
    skip_blanks();
    const std::string_view rest = text_.substr(position_);
    const auto* found = std::find_if(kBinary.begin(), kBinary.end(), [&](const BinaryOperator& candidate) {
      return rest.substr(0, candidate.symbol.size()) == candidate.symbol;
    });
    return found == kBinary.end() ? nullptr : found;
  }

  std::size_t add_leaf(ExpressionOp op, std::size_t column, Value value) {
    nodes_.push_back({.op = op, .column = column, .value = std::move(value)});
    return nodes_.size() - 1;
  }

  std::size_t add_node(ExpressionOp op, std::size_t column, std::size_t left, std::size_t right) {
    const int depth = 1 + std::max(nodes_[left].depth, nodes_[right].depth);
    check_depth(depth);
    nodes_.push_back(
        {.op = op, .column = column, .left = left, .right = right, .value = std::int64_t{0}, .depth = depth});
    return nodes_.size() - 1;
  }

  void check_depth(int depth) const {
    if (depth > Expression::kMaxDepth)
      expression_error(
          text_, position_ + 1,
          concat("more than ", Expression::kMaxDepth, " levels of nesting or terms in one chain"));
  }

  void skip_blanks() {
    while (position_ < text_.size() && trim(text_.substr(position_, 1)).empty()) ++position_;
  }

  bool take(std::string_view symbol) {
    if (text_.substr(position_, symbol.size()) != symbol) return false;
    position_ += symbol.size();
    return true;
  }

  void expect(std::string_view symbol) {
    skip_blanks();
    if (!take(symbol)) fail_here(concat("'", symbol, "'"));
  }

  [[noreturn]] void fail_here(const std::string& wanted) const {
    if (position_ >= text_.size())
      expression_error(text_, position_ + 1, concat("expected ", wanted, ", found the end"));
    const char c = text_[position_];
    const bool half = c == '=' || c == '&' || c == '|';
    const std::string hint = half ? concat("; write '", c, c, "'") : "";
    expression_error(text_, position_ + 1,
                     concat("expected ", wanted, ", found ", show(text_.substr(position_, 1)), hint));
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::vector<ExpressionNode> nodes_;
};

}  // namespace

std::vector<ExpressionNode> parse_expression(std::string_view text) {
  if (text.size() > Expression::kMaxLength)
    expression_error(text, Expression::kMaxLength + 1,
                     concat("longer than ", Expression::kMaxLength, " characters"));
  return Parser(text).parse();
}

void expression_error(std::string_view text, std::size_t column, const std::string& problem) {
  usage_error(concat("expression ", show(text), ", column ", column, ": ", problem));
}

}  // namespace bench::scaling
