// SPDX-License-Identifier: Apache-2.0
#include "src/cli/doctor_options.hpp"

#include <CLI/CLI.hpp>

namespace bench::cli {

CLI::App* add_doctor_verb(CLI::App& app, DoctorOptions& options) {
  CLI::App* verb = app.add_subcommand("doctor", "what this machine has and what the program found of it");
  CLI::Option* roofline = verb->add_flag("--roofline", options.roofline, "also measure what a core and all cores can do; kept, and shown from there the next time");
  verb->add_flag("--refresh", options.refresh, "measure it again")->needs(roofline);
  return verb;
}

}  // namespace bench::cli
