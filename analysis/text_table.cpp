// SPDX-License-Identifier: Apache-2.0
#include "analysis/text_table.hpp"

#include <algorithm>

namespace bench::analysis {
namespace {

std::string padded(const std::string& cell, std::size_t width, bool right) {
  const std::string blanks(width - std::min(width, cell.size()), ' ');
  return right ? blanks + cell : cell + blanks;
}

std::string escaped(const std::string& cell) {
  std::string text;
  for (const char c : cell) text += c == '|' ? std::string("\\|") : std::string(1, c);
  return text;
}

}  // namespace

std::string TextTable::text() const {
  std::vector<std::size_t> width;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    width.push_back(heads[i].name.size());
    for (const auto& row : rows) width[i] = std::max(width[i], row[i].size());
  }
  const auto line = [&](const auto& cell_at) {
    std::string text;
    for (std::size_t i = 0; i < heads.size(); ++i) text += (i > 0 ? "  " : "") + padded(cell_at(i), width[i], heads[i].right);
    text.erase(text.find_last_not_of(' ') + 1);
    return text + '\n';
  };
  std::string all = line([&](std::size_t i) { return heads[i].name; });
  for (const auto& row : rows) all += line([&](std::size_t i) { return row[i]; });
  return all;
}

std::string TextTable::markdown() const {
  std::string all = "|", rule = "|";
  for (const Head& head : heads) {
    all += ' ' + escaped(head.name) + " |";
    rule += head.right ? "---:|" : "---|";
  }
  all += '\n' + rule + '\n';
  for (const auto& row : rows) {
    all += '|';
    for (const std::string& cell : row) all += ' ' + escaped(cell) + " |";
    all += '\n';
  }
  return all;
}

}  // namespace bench::analysis
