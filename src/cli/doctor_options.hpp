// SPDX-License-Identifier: Apache-2.0
// The command line of doctor.
#pragma once

namespace CLI {
class App;
}

namespace bench::cli {

struct DoctorOptions {
  bool roofline = false;  // also the machine's rates
  bool refresh = false;   // measured now, though they are known
};

/// The subcommand; parse() of `app` fills the options.
CLI::App* add_doctor_verb(CLI::App& app, DoctorOptions& options);

}  // namespace bench::cli
