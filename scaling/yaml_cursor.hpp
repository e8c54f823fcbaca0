// SPDX-License-Identifier: Apache-2.0
// A place in a YAML document that knows its file, line, column and path, so that every fault can be reported
// where it stands. All that a study reader asks of YAML goes through here; a document from a stranger can
// fail, but it cannot exhaust stack, memory or time.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/core/error.hpp"

namespace bench::scaling {

class YamlCursor {
 public:
  /// Longest document, and how many nodes and axis values may be read from it; aliases count each time they
  /// are met.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  static constexpr std::int64_t kMaxWork = 2'000'000;

  /// The top of a document. Usage error with the place when `text` is not one YAML mapping or is too long.
  /// `origin` names the file.
  static YamlCursor parse(const std::string& text, const std::string& origin);

  /// Throws a usage error "origin:line:column: problem".
  [[noreturn]] void fail(const std::string& problem) const;
  /// "sweeps[0].axes", or "the study" at the top.
  std::string path() const { return path_.empty() ? "the study" : path_; }

  bool is_list() const { return node_.IsSequence(); }
  bool is_mapping() const { return node_.IsMap(); }
  bool is_text() const { return node_.IsScalar(); }

  /// The text of a scalar; fails on anything else.
  std::string text() const;
  /// The items of a list; fails on anything else.
  std::vector<YamlCursor> items() const;
  /// Keys and values of a mapping in the order written; fails on anything else. Keys are checked to be
  /// unequal only where they are text.
  std::vector<std::pair<YamlCursor, YamlCursor>> entries() const;

  /// Fails when the mapping has a key outside `known`, at that key, with the nearest one.
  void allow_keys(const std::vector<std::string>& known) const;
  std::optional<YamlCursor> find(const std::string& key) const;
  /// Fails, naming the key, when it is absent.
  YamlCursor require(const std::string& key) const;

  /// Counts `amount` units of work against kMaxWork.
  void spend(std::int64_t amount) const;

  /// Runs `work` and reports any bench::Error it throws as standing here.
  template <class Work>
  auto here(const Work& work) const {
    try {
      return work();
    } catch (const Error& error) {
      fail(error.what());
    }
  }

 private:
  struct Document {
    std::string origin;
    std::int64_t work = 0;
  };
  YamlCursor(YAML::Node node, std::string path, std::shared_ptr<Document> document)
      : node_(std::move(node)), path_(std::move(path)), document_(std::move(document)) {}
  YamlCursor child(const YAML::Node& node, std::string path) const;
  [[noreturn]] void fail_type(const char* wanted) const;

  YAML::Node node_;
  std::string path_;
  std::shared_ptr<Document> document_;
};

}  // namespace bench::scaling
