// SPDX-License-Identifier: Apache-2.0
#include "analysis/store_groups.hpp"

#include <algorithm>
#include <cstring>

namespace bench::analysis {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::uint8_t> counting(std::size_t n) {
  std::vector<std::uint8_t> values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(static_cast<std::uint8_t>(i));
  return values;
}

h5::Handle write_variable(hid_t group, const Column& column) {
  if (const auto* doubles = std::get_if<std::vector<double>>(&column.values)) return h5::write_doubles(group, column.name, *doubles);
  if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&column.values)) return h5::write_ints(group, column.name, *ints);
  if (const auto* strings = std::get_if<std::vector<std::string>>(&column.values)) return h5::write_strings(group, column.name, *strings);
  const Flags& flags = std::get<Flags>(column.values);
  h5::Handle dataset = h5::write_bytes(group, column.name, flags.values);
  h5::set_attribute(dataset, "flag_values", counting(flags.meanings.size()));
  h5::set_attribute(dataset, "flag_meanings", joined(flags.meanings));
  return dataset;
}

std::size_t rows_of(const Column& column) {
  return std::visit([](const auto& values) { if constexpr (requires { values.values; }) return values.values.size(); else return values.size(); }, column.values);
}

/// Bytes of a column in a compound row.
std::size_t width_of(const Column& column) {
  if (std::holds_alternative<Flags>(column.values)) return 1;
  const auto* strings = std::get_if<std::vector<std::string>>(&column.values);
  if (strings == nullptr) return 8;
  std::size_t longest = 1;
  for (const std::string& text : *strings) longest = std::max(longest, text.size());
  return longest;
}

h5::Handle member_type(const Column& column) {
  if (std::holds_alternative<std::vector<double>>(column.values)) return {BS_H5(H5Tcopy(H5T_NATIVE_DOUBLE)), H5Tclose};
  if (std::holds_alternative<std::vector<std::int64_t>>(column.values)) return {BS_H5(H5Tcopy(H5T_NATIVE_INT64)), H5Tclose};
  if (std::holds_alternative<Flags>(column.values)) return {BS_H5(H5Tcopy(H5T_NATIVE_UINT8)), H5Tclose};
  h5::Handle type(BS_H5(H5Tcopy(H5T_C_S1)), H5Tclose);
  BS_H5(H5Tset_size(type, width_of(column)));
  BS_H5(H5Tset_strpad(type, H5T_STR_NULLPAD));
  return type;
}

void put(char* at, const Column& column, std::size_t row) {
  if (const auto* doubles = std::get_if<std::vector<double>>(&column.values)) std::memcpy(at, &(*doubles)[row], 8);
  else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&column.values)) std::memcpy(at, &(*ints)[row], 8);
  else if (const auto* strings = std::get_if<std::vector<std::string>>(&column.values)) std::memcpy(at, (*strings)[row].data(), (*strings)[row].size());
  else *at = static_cast<char>(std::get<Flags>(column.values).values[row]);
}

void table_attributes(hid_t dataset, const std::string& name, const std::vector<Column>& columns) {
  h5::set_fixed_attribute(dataset, "CLASS", "TABLE");
  h5::set_fixed_attribute(dataset, "VERSION", "3.0");
  h5::set_fixed_attribute(dataset, "TITLE", name);
  for (std::size_t i = 0; i < columns.size(); ++i) h5::set_fixed_attribute(dataset, concat("FIELD_", i, "_NAME"), columns[i].name);
}

}  // namespace

void write_group(hid_t parent, const std::string& name, const std::vector<Column>& columns, double confidence) {
  const h5::Handle group = h5::create_group(parent, name);
  std::vector<h5::Handle> written;
  for (const Column& column : columns) {
    h5::Handle dataset = write_variable(group, column);
    h5::set_attribute(dataset, "long_name", column.long_name);
    if (!column.unit.empty()) h5::set_attribute(dataset, "units", column.unit);
    if (!column.parameter.empty()) h5::set_attribute(dataset, "parameter", column.parameter);
    if (column.name.ends_with("_lo") || column.name.ends_with("_hi")) h5::set_attribute(dataset, "confidence_level", confidence);
    const auto* ints = std::get_if<std::vector<std::int64_t>>(&column.values);
    if (ints != nullptr && std::ranges::find(*ints, kAbsent) != ints->end()) h5::set_attribute(dataset, "missing_value", kAbsent);
    written.push_back(std::move(dataset));
  }
  h5::make_scale(written.front(), columns.front().name);
  for (std::size_t i = 1; i < written.size(); ++i) h5::attach_scale(written[i], written.front());
}

void write_table(hid_t parent, const std::string& name, const std::vector<Column>& columns) {
  std::size_t row_bytes = 0;
  for (const Column& column : columns) row_bytes += width_of(column);
  const h5::Handle type(BS_H5(H5Tcreate(H5T_COMPOUND, row_bytes)), H5Tclose);
  const std::size_t rows = rows_of(columns.front());
  std::vector<char> bytes(std::max<std::size_t>(1, rows * row_bytes), 0);
  std::size_t offset = 0;
  for (const Column& column : columns) {
    const h5::Handle member = member_type(column);
    BS_H5(H5Tinsert(type, column.name.c_str(), offset, member));
    for (std::size_t row = 0; row < rows; ++row) put(bytes.data() + row * row_bytes + offset, column, row);
    offset += width_of(column);
  }
  const h5::Handle dataset = h5::write_rows(parent, name, type, bytes.data(), rows);
  table_attributes(dataset, name, columns);
}

}  // namespace bench::analysis
