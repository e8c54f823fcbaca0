// SPDX-License-Identifier: Apache-2.0
#include "scaling/yaml_cursor.hpp"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "scaling/nearest.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

std::string place(const std::string& origin, const YAML::Mark& mark) {
  if (mark.is_null()) return origin;
  return concat(origin, ':', mark.line + 1, ':', mark.column + 1);
}

/// Sees a document go by without building it, and stops it when it is larger than any study.
class Sentry : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
    count(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapEnd() override { --depth_; }

 private:
  static constexpr int kMaxDepth = 16;  // the schema needs six
  void count(const YAML::Mark& mark) {
    if (++nodes_ > YamlCursor::kMaxWork) throw YAML::ParserException(mark, "more entries than any study has");
  }
  void enter(const YAML::Mark& mark) {
    count(mark);
    if (++depth_ > kMaxDepth) throw YAML::ParserException(mark, "nested deeper than any study is");
  }
  std::int64_t nodes_ = 0;
  int depth_ = 0;
};

/// The one document in `text`. A first pass looks at it before anything is built. It asks for two documents
/// at most: on some broken texts yaml-cpp 0.7 finds empty ones for ever, so LoadAll must not be used.
YAML::Node load(const std::string& text, const std::string& origin) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Sentry sentry;
    if (parser.HandleNextDocument(sentry) && parser.HandleNextDocument(sentry))
      usage_error(concat(origin, ": holds more than one YAML document; a study is one"));
    return YAML::Load(text);
  } catch (const Error&) {
    throw;
  } catch (const YAML::Exception& error) {
    usage_error(concat(place(origin, error.mark), ": not valid YAML: ", error.msg));
  } catch (const std::exception&
               error) {  // whatever else a library throws on a broken text is a fault of the text
    usage_error(concat(origin, ": not valid YAML: ", error.what()));
  }
}

}  // namespace

YamlCursor YamlCursor::parse(const std::string& text, const std::string& origin) {
  if (text.size() > kMaxBytes)
    usage_error(concat(origin, ": has ", text.size(), " bytes; a study has at most ", kMaxBytes));
  if (text.find('\0') != std::string::npos)
    usage_error(concat(origin, ": has a zero byte, so it is no text"));
  YamlCursor top(load(text, origin), "", std::make_shared<Document>(Document{origin, 0}));
  if (!top.is_mapping()) top.fail("a study is a mapping that starts with 'schema_version: 1'");
  return top;
}

void YamlCursor::fail(const std::string& problem) const {
  usage_error(concat(place(document_->origin, node_.Mark()), ": ", problem));
}

void YamlCursor::fail_type(const char* wanted) const {
  const char* got = is_list() ? "a list" : is_mapping() ? "a mapping" : is_text() ? "a text" : "nothing";
  fail(concat(path(), " is ", got, "; it has to be ", wanted));
}

YamlCursor YamlCursor::child(const YAML::Node& node, std::string path) const {
  spend(1);
  return {node, std::move(path), document_};
}

void YamlCursor::spend(std::int64_t amount) const {
  document_->work += amount;
  if (document_->work > kMaxWork)
    fail(concat("the study is too large: more than ", kMaxWork, " entries and values"));
}

std::string YamlCursor::text() const {
  if (!is_text()) fail_type("a text or number");
  return node_.Scalar();
}

std::vector<YamlCursor> YamlCursor::items() const {
  if (!is_list()) fail_type("a list");
  std::vector<YamlCursor> items;
  for (const YAML::Node& item : node_) items.push_back(child(item, concat(path_, '[', items.size(), ']')));
  return items;
}

std::vector<std::pair<YamlCursor, YamlCursor>> YamlCursor::entries() const {
  if (!is_mapping()) fail_type("a mapping");
  std::vector<std::pair<YamlCursor, YamlCursor>> entries;
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    const YamlCursor key = child(entry.first, path_);
    const std::string name = key.is_text() ? key.text() : std::string();
    if (key.is_text() && !seen.insert(name).second)
      key.fail(concat("key ", show(name), " stands twice in ", path()));
    entries.emplace_back(key, child(entry.second, path_.empty() ? name : concat(path_, '.', name)));
  }
  return entries;
}

void YamlCursor::allow_keys(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : entries()) {
    const std::string name = key.text();
    if (std::ranges::find(known, name) == known.end())
      key.fail(concat("unknown key ", show(name), " in ", path(), suggestion(name, known)));
  }
}

std::optional<YamlCursor> YamlCursor::find(const std::string& key) const {
  for (const auto& [name, value] : entries())
    if (name.is_text() && name.text() == key) return value;
  return std::nullopt;
}

YamlCursor YamlCursor::require(const std::string& key) const {
  auto found = find(key);
  if (!found) fail(concat("key '", key, "' is missing in ", path()));
  return *found;
}

}  // namespace bench::scaling
