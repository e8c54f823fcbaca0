// SPDX-License-Identifier: Apache-2.0
#include "analysis/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

namespace fs = std::filesystem;

/// Owns a file descriptor. Failures name the path and the cause.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : path_(path.string()), file_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (file_ < 0) fail("open");
  }
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write(std::span<const char> bytes) const {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(file_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) fail("write");
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
  }
  void sync() const {
    if (::fsync(file_) != 0) fail("sync");
  }

 private:
  [[noreturn]] void fail(const char* verb) const {
    throw Error(ErrorKind::io, concat("cannot ", verb, " '", path_, "': ", std::strerror(errno)));
  }
  std::string path_;
  int file_;
};

void replace(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::rename(from, to, code);
  if (code) throw Error(ErrorKind::io, concat("cannot rename '", from.string(), "': ", code.message()));
}

}  // namespace

void replace_file(const fs::path& path, std::span<const char> bytes) {
  fs::path temporary = path;
  temporary += ".tmp";
  try {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    file.write(bytes);
    file.sync();
    replace(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  Descriptor(path.has_parent_path() ? path.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY).sync();  // the new name, too
}

}  // namespace bench::analysis
