// SPDX-License-Identifier: Apache-2.0
// Turns MPI return codes into exceptions. Works only where the error handler is MPI_ERRORS_RETURN; Session
// sees to that.
#pragma once

#include <mpi.h>

#include <string>

#include "src/core/error.hpp"

namespace bench::comm {

/// The transport failed (a peer died, a message was truncated, ...). The engine turns it into the outcome
/// comm_error.
class CommError : public Error {
 public:
  CommError(const std::string& message, int code, const char* call, const char* file, int line)
      : Error(ErrorKind::comm, message, call, file, line), code_(code) {}
  /// MPI's error code, for MPI_Error_class; MPI_SUCCESS when it was ours to find (a message of the wrong
  /// length).
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// Throws CommError with MPI_Error_string's words unless `code` is MPI_SUCCESS.
inline void check_mpi(int code, const char* call, const char* file, int line) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
  throw CommError(concat("MPI: ", std::string(text, static_cast<std::size_t>(length))), code, call, file,
                  line);
}

}  // namespace bench::comm

/// Wraps every MPI call that can fail.
#define BS_MPI(...) ::bench::comm::check_mpi((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
