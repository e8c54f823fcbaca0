// SPDX-License-Identifier: Apache-2.0
#include "jobs/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "analysis/record_json.hpp"

namespace bench::jobs {
namespace {

using nlohmann::json;

std::uint32_t checksum(const std::string& text) {
  return static_cast<std::uint32_t>(crc32(0L, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

std::string frame(const std::string& text) {
  return fmt::format("{{\"len\":{},\"crc32\":\"{:08x}\",\"record\":{}}}\n", text.size(), checksum(text), text);
}

void write_all(int file, const std::string& bytes, const std::string& path) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(file, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) throw Error(ErrorKind::io, concat("cannot append to the journal '", path, "': ", std::strerror(errno)));
    done += static_cast<std::size_t>(wrote);
  }
}

/// The record's text inside a framed line, checked against its length and checksum; empty when the line is not a whole frame.
std::string unframe(const std::string& line) {
  std::size_t length = 0;
  unsigned crc = 0;
  int head = 0;
  if (std::sscanf(line.c_str(), "{\"len\":%zu,\"crc32\":\"%8x\",\"record\":%n", &length, &crc, &head) != 2 || head == 0) return {};
  const auto begin = static_cast<std::size_t>(head);
  if (line.size() != begin + length + 1 || line.back() != '}') return {};
  std::string text = line.substr(begin, length);
  return checksum(text) == crc ? text : std::string();
}

void take(analysis::RunRecord& run, JournalNotes& notes, const json& record) {
  const std::string kind = record.at("kind");
  if (kind == "plan") {
    run.run_id = record.at("run_id");
    run.created_utc = record.at("created_utc");
    run.study = record.at("study");
    run.plan_sha256 = record.at("plan_sha256");
    run.confidence = record.at("confidence");
    run.policy = record.value("policy", "");
    run.cases.clear();  // a resumed run may have gone on with another plan
    for (const json& c : record.at("cases")) run.cases.push_back(analysis::case_from_json(c));
  } else if (kind == "env") {
    run.provenance_json = record.at("provenance").dump();
    run.env_id = record.value("env_id", "");
  } else if (kind == "limits") {
    run.limits[{record.at("width").get<std::int64_t>(), record.value("threads", std::int64_t{1}), record.value("device", false)}] = analysis::limits_from_json(record.at("limits"));
  } else if (kind == "visit") {
    run.visits.push_back(analysis::visit_from_json(record.at("visit")));
    notes.started[{run.visits.back().case_id, run.visits.back().visit}].open = false;
  } else if (kind == "start") {
    notes.started[{record.at("case"), record.at("visit")}] = {record.value("attempt", std::int64_t{1}), record.value("first_rank", std::int64_t{0}),
                                                              record.value("ranks", std::int64_t{1}), true};
  } else if (kind == "mark") {
    notes.last_mark = record.at("what");
    if (notes.last_mark == "resumed" || notes.last_mark == "rebuilt") ++notes.sessions;
  } else if (kind == "telemetry") {
    const auto readings = analysis::telemetry_from_json(record.at("readings"));
    run.telemetry.insert(run.telemetry.end(), readings.begin(), readings.end());
  }
}

/// Visits of cases that the plan still has; of a visit that was made again (--retry) the last record.
void keep_what_counts(analysis::RunRecord& run) {
  std::set<std::string> planned;
  for (const scaling::Case& c : run.cases) planned.insert(c.id);
  std::map<decltype(end_of(run.visits[0])), std::size_t> last;
  for (std::size_t i = 0; i < run.visits.size(); ++i) last[end_of(run.visits[i])] = i;
  std::size_t row = 0;
  std::erase_if(run.visits, [&](const analysis::VisitRecord& visit) {
    const bool is_last = last.at(end_of(visit)) == row++;
    return !is_last || !planned.contains(visit.case_id);
  });
}

}  // namespace

std::pair<std::pair<std::string, std::int64_t>, std::int64_t> end_of(const analysis::VisitRecord& visit) {
  return {{visit.case_id, visit.visit}, visit.placement == "replicated" ? visit.block : 0};
}

Journal::Journal(const std::filesystem::path& path, std::int64_t keep_bytes) : path_(path.string()) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) usage_error(concat("cannot create the journal '", path_, "': ", std::strerror(errno), "; give another folder with -o"));
  // A torn last line would make the next one unreadable. A pipe or device has no length to cut.
  if (keep_bytes > 0 && ::ftruncate(file_, keep_bytes) != 0 && errno != EINVAL)
    throw Error(ErrorKind::io, concat("cannot cut the torn end off the journal '", path_, "': ", std::strerror(errno)));
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

void Journal::append(const json& record, bool durable) {
  const auto begin = std::chrono::steady_clock::now();
  write_all(file_, frame(record.dump()), path_);
  if (durable && ::fsync(file_) != 0 && errno != EINVAL)  // EINVAL: a device or pipe, which has nothing to sync
    throw Error(ErrorKind::io, concat("cannot sync the journal '", path_, "': ", std::strerror(errno)));
  seconds_spent_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string journal_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::io, concat("cannot read the journal '", path.string(), "'"));
  std::ostringstream whole;
  whole << in.rdbuf();
  return whole.str();
}

analysis::RunRecord load_journal(const std::filesystem::path& path, JournalNotes* wanted) {
  return parse_journal(journal_bytes(path), path.string(), wanted);
}

analysis::RunRecord parse_journal(std::string bytes, const std::string& name, JournalNotes* wanted) {
  analysis::RunRecord run;
  JournalNotes notes;
  run.journal_bytes = std::move(bytes);
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < run.journal_bytes.size();) {
    const std::size_t end = run.journal_bytes.find('\n', begin);
    ++number;
    if (end == std::string::npos) {  // no newline: the writer died inside this record
      notes.torn_bytes = static_cast<std::int64_t>(run.journal_bytes.size() - begin);
      run.journal_bytes.resize(begin);
      break;
    }
    const std::string text = unframe(run.journal_bytes.substr(begin, end - begin));
    if (text.empty()) throw Error(ErrorKind::io, concat(name, ":", number, ": the record's length or checksum does not match"));
    try {
      take(run, notes, json::parse(text));
    } catch (const std::exception& error) {  // not JSON, or not the JSON of a record
      throw Error(ErrorKind::io, concat(name, ":", number, ": ", error.what()));
    }
    begin = end + 1;
  }
  keep_what_counts(run);
  if (wanted != nullptr) *wanted = std::move(notes);
  return run;
}

json plan_record(const analysis::RunRecord& run) {
  json cases = json::array();
  for (const scaling::Case& c : run.cases) cases.push_back(analysis::to_json(c));
  return {{"kind", "plan"},         {"run_id", run.run_id},           {"created_utc", run.created_utc}, {"study", run.study},
          {"plan_sha256", run.plan_sha256}, {"confidence", run.confidence}, {"policy", run.policy}, {"cases", cases}};
}

json environment_record(const analysis::RunRecord& run) {
  return {{"kind", "env"}, {"env_id", run.env_id}, {"provenance", json::parse(run.provenance_json)}};
}

json limits_record(const analysis::Width& width, const analysis::Limits& limits) {
  json record{{"kind", "limits"}, {"width", width.ranks}, {"threads", width.threads}, {"limits", analysis::to_json(limits)}};
  if (width.device) record["device"] = true;
  return record;
}

json start_record(const std::string& case_id, std::int64_t visit, const StartedVisit& started) {
  return {{"kind", "start"},           {"case", case_id},
          {"visit", visit},            {"attempt", started.attempt},
          {"first_rank", started.first_rank}, {"ranks", started.ranks}};
}

json mark_record(const std::string& what, const std::string& detail) { return {{"kind", "mark"}, {"what", what}, {"detail", detail}}; }

json telemetry_record(const std::vector<analysis::TimedTelemetry>& readings) {
  return {{"kind", "telemetry"}, {"readings", analysis::to_json(readings)}};
}

json visit_record(const analysis::VisitRecord& visit) { return {{"kind", "visit"}, {"visit", analysis::to_json(visit)}}; }

}  // namespace bench::jobs
