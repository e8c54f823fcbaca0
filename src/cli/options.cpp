// SPDX-License-Identifier: Apache-2.0
#include "src/cli/options.hpp"

#include <CLI/CLI.hpp>
#include <sstream>

#include "kernels/problem.hpp"
#include "scaling/grammar.hpp"
#include "scaling/parameters.hpp"
#include "scaling/sweep.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/comm/fault.hpp"
#include "src/core/outcome.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

constexpr std::int64_t kMostMemoryBytes = std::int64_t{1} << 42;  // times the most ranks it is still a 64-bit number

/// Short forms and the ancestors' names of some parameters' flags.
std::string flag_of(const std::string& parameter) {
  if (parameter == "batch") return "-b,--batch";
  if (parameter == "seq") return "-s,--seq";
  if (parameter == "ranks") return "-r,--ranks";
  if (parameter == "dtype") return "-t,--dtype";
  std::string flag = "--" + parameter;
  for (char& c : flag)
    if (c == '_') c = '-';
  return flag;
}

/// One flag for every parameter of every op: its values replace that axis of the study.
void add_parameter_flags(CLI::App& app, Options& options) {
  std::map<std::string, std::string> help;
  for (const ParamSpec& spec : common_params()) help.emplace(spec.name, spec.help);
  for (const ParamSpec& spec : scaling::protocol_params())
    if (spec.name != "warmup") help.emplace(spec.name, spec.help);  // --warmup is the run's setting; as an axis it is for study files
  for (const Op* op : Registry<Op>::instance().all())
    for (const ParamSpec& spec : op->params) help.emplace(spec.name, spec.help);
  for (const auto& [name, text] : help) {
    app.add_option_function<std::string>(
           flag_of(name), [&options, n = name](const std::string& range) { options.overrides.axes.emplace_back(n, range); }, text)
        ->group("Axes (a value, a,b,c, lo..hi*f or lo..hi+s; k and m are powers of 1024)")
        ->type_name("RANGE");
  }
}

void add_study_flags(CLI::App& app, Options& options) {
  app.add_option("--study,-c,--config", options.study, "built-in study (smoke, quick, full) or a YAML file")
      ->envname("BENCH_SCALE_STUDY")->capture_default_str();
  app.add_option("-W,--workload,--op", options.workloads, "only these ops")->delimiter(',');
  app.add_option("-k,--kernel", options.overrides.kernels, "only these implementations (names or globs)")->delimiter(',');
  app.add_option("--include", options.overrides.include, "keep kernels that match (glob or re:REGEX)")->take_all();
  app.add_option("--exclude", options.overrides.exclude, "drop kernels that match; wins over --include")->take_all();
  app.add_option("--baseline", options.overrides.baseline, "kernel that speed-up is taken over");
  app.add_option_function<std::string>(
         "--scaling",
         [&options](const std::string& text) { options.overrides.scaling = scaling::parse_scaling(text); },
         "a view over cases: strong; weak:batch, weak:tokens or weak:flops (what grows with the ranks); throughput (a copy of the "
         "one-rank case on every rank); with --ranks")
      ->type_name("MODE")
      ->check(CLI::IsMember(scaling::scaling_words()));
  app.add_option("--base", options.overrides.base, "rank count that efficiency is taken over (default: the smallest that runs)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  add_parameter_flags(app, options);
}

void add_measuring_flags(CLI::App& app, Options& options) {
  const std::string group = "Measuring";
  const auto positive = CLI::Range(std::int64_t{1}, std::int64_t{1} << 40);
  app.add_option("-w,--warmup,--warmup-iterations,--warmup-steps", options.warmup, "untimed calls before the samples")
      ->check(CLI::NonNegativeNumber)->group(group);
  app.add_option("--warmup-time", options.warmup_time, "seconds of untimed calls, at least")->check(CLI::NonNegativeNumber)->group(group);
  app.add_option("-i,--iterations,--measurement-iterations,--measure-steps", options.iterations, "exactly this many samples")
      ->check(positive)->group(group);
  app.add_option("--min-samples", options.min_samples, "samples before the stop rule looks")->check(positive)->group(group);
  app.add_option("--max-samples", options.max_samples, "samples at most")->check(positive)->group(group);
  app.add_option("--ci", options.ci, "stop at this relative half width of the median's interval")->check(CLI::PositiveNumber)->group(group);
  app.add_option("--confidence", options.confidence, "of every interval")->check(CLI::Range(0.5, 0.9999))->group(group);
  app.add_option("--min-time", options.min_time, "seconds of samples per visit, at least")->check(CLI::NonNegativeNumber)->group(group);
  app.add_option("--budget", options.budget, "seconds of samples per visit, at most")->check(CLI::PositiveNumber)->group(group);
  app.add_option("--visits", options.visits, "independent visits to each case")->check(positive)->group(group);
  app.add_option("--scaling-visits", options.scaling_visits, "at least so many to the cases of a scaling study")->check(positive)->group(group);
  app.add_option("--seed", options.seed, "of inputs and order")->check(CLI::NonNegativeNumber)->group(group);
  app.add_option("--order", options.order, "auto, longest, shuffle, abba or given")->check(CLI::IsMember({"auto", "longest", "shuffle", "abba", "given"}))->group(group);
  app.add_option("--placement", options.placement, "what runs beside a visit: packed, solo (nothing) or replicated (itself, on every block)")
      ->check(CLI::IsMember({"packed", "solo", "replicated"}))->group(group);
  app.add_flag("--audit{only}", options.audit, "after a packed sweep measure some of its cases again alone, and say which kernels neighbours slow down; "
                                               "=fix: measure those kernels' cases again alone")
      ->check(CLI::IsMember({"only", "fix"}))->group(group);
  app.add_option("--isolation", options.isolation, "auto; node: every case has its nodes alone; none")
      ->check(CLI::IsMember({"auto", "node", "none"}))->group(group);
  app.add_option("--schedule", options.schedule, "dynamic, or static: the planned schedule is followed exactly")
      ->check(CLI::IsMember({"dynamic", "static"}))->group(group);
  app.add_option("--sync", options.sync, "how ranks start a sample: auto, window or barrier")
      ->check(CLI::IsMember({"auto", "window", "barrier"}))->group(group);
  app.add_option("--telemetry", options.telemetry_s, "read clocks, load and device state every so many seconds, too; 0: only at the ends of visits")
      ->check(CLI::NonNegativeNumber)->group(group)->capture_default_str();
  app.add_option("--limits", options.limits, "measure: the machine's rates, before and after the sweep; none: rows have no fraction of a limit")
      ->check(CLI::IsMember({"measure", "none"}))->envname("BENCH_SCALE_LIMITS")->group(group);
  app.add_flag("--allow-shared-gpu", options.allow_shared_gpu, "ranks of a case may share a GPU: such cases are checked and not timed")->group(group);
  app.add_option("--bind", options.bind, "auto: split the node's cores among its ranks; none")->check(CLI::IsMember({"auto", "none"}))->group(group);
}

void add_output_flags(CLI::App& app, Options& options) {
  app.add_option("-o,--output-dir", options.output_dir, "run folder (default: results/run_<UTC>)")->envname("BENCH_SCALE_OUTPUT_DIR");
  app.add_option("--color", options.color, "auto, always or never; NO_COLOR is honoured")
      ->check(CLI::IsMember({"auto", "always", "never"}))->capture_default_str();
  app.add_flag("--save-outputs", options.save_outputs, "keep every case's inputs and outputs in outputs/<case>.h5, for a check by others");
  app.add_flag("-q,--quiet", options.quiet, "no progress on stderr");
  app.add_flag("--profile-self", options.profile_self, "print what the program itself cost");
  app.add_option("--isa", options.isa, "use no vector instructions beyond these in our own CPU kernels: plain, avx2 or avx512")
      ->check(CLI::IsMember({"plain", "avx2", "avx512"}))
      ->envname("BENCH_SCALE_ISA");
  app.add_flag("--keep-host", options.keep_host, "store the host's name, not its hash");
}

void add_running_flags(CLI::App& app, Options& options) {
  const std::string group = "Stopping and going on";
  std::vector<std::string> failures;
  for (const std::string_view name : kOutcomeNames)
    if (name != "ok") failures.emplace_back(name);
  app.add_flag("--resume{strict}", options.resume, "go on with the run in -o, or start it; =intersect: though the plan has changed")
      ->check(CLI::IsMember({"strict", "intersect"}))->group(group);
  app.add_option("--retry", options.retry, "with --resume: measure these outcomes again (oom, timeout, ...)")
      ->delimiter(',')->check(CLI::IsMember(failures))->group(group);
  app.add_flag("--allow-env-change", options.allow_env_change, "with --resume: though build, libraries or machine are others")->group(group);
  app.add_option("--wider-than", options.wider_than, "only cases of more ranks than this: the others are measured by a smaller job")
      ->check(CLI::NonNegativeNumber)->group(group);
  app.add_option("--shard", options.shard, "only part I of N of the study's cases, as one task of a job array does: 0/8 ... 7/8")
      ->type_name("I/N")->group(group);
  app.add_option("--deadline", options.deadline, "start nothing that would end later: SECONDS from now or @UNIX time (default: the Slurm job's end)")
      ->type_name("TIME")->group(group);
  app.add_option("--timeout", options.timeout_s, "seconds until a visit counts as hung; 0: ten times its estimate, at least a minute")
      ->check(CLI::NonNegativeNumber)->group(group);
  app.add_flag("--allow-commands", options.allow_commands, "let kernels named *_command start Python programs that run other packages (docs/commands.md)")->group(group);
  const auto are_faults = [](const std::string& text) {
    try {
      comm::parse_faults(text);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  app.add_option("--inject", options.inject, "faults that happen to the messages of every visit, to try what they lead to: KIND@RANK:MESSAGE[:SECONDS], "
                                             "KIND of delay, drop, reorder, die")
      ->type_name("FAULTS")->check(are_faults)->group(group);
}

void add_machine_flags(CLI::App& plan, PlanOptions& options) {
  const std::string group = "Another machine than this one";
  plan.add_option("--nodes", options.nodes, "nodes to plan for")
      ->check(CLI::Range(std::int64_t{1}, kMostPlannedRanks))->capture_default_str()->group(group);
  plan.add_option("--ranks-per-node", options.ranks_per_node, "ranks on each (default: as many as are started)")
      ->check(CLI::Range(std::int64_t{1}, kMostPlannedRanks))->group(group);
  plan.add_option("--memory-per-rank", options.memory_bytes_per_rank,
                  "bytes that a node has for each of its ranks, for example 80GiB (default: its ranks share what is available here)")
      ->transform(CLI::AsSizeValue(false))->check(CLI::Range(std::int64_t{1}, kMostMemoryBytes))->type_name("BYTES")->group(group);
}

}  // namespace

Parsed parse_arguments(int argc, const char* const* argv) {
  Parsed parsed;
  Options& options = parsed.options;
  for (int i = 1; i < argc; ++i) options.arguments.emplace_back(argv[i]);
  CLI::App app{"bench_scale: how attention and state-space scans scale on this machine, with confidence intervals.\n"
               "mpirun -np N bench_scale [run] measures; the other verbs work without mpirun."};
  app.set_version_flag("--version", system::version_text());
  app.require_subcommand(0, 1);
  app.fallthrough();
  CLI::App* run = app.add_subcommand("run", "measure a study (the default)");
  CLI::App* plan = app.add_subcommand("plan", "show the cases, ids and order, and run nothing");
  add_machine_flags(*plan, options.plan);
  CLI::App* list = app.add_subcommand("list", "show ops, implementations and studies");
  const std::vector<std::pair<CLI::App*, Verb>> readers{{add_compare_verb(app, options.compare), Verb::compare},
                                                        {add_gate_verb(app, options.compare), Verb::gate},
                                                        {add_launch_verb(app, options.launch), Verb::launch},
                                                        {add_merge_verb(app, options.merge), Verb::merge},
                                                        {add_doctor_verb(app, options.doctor), Verb::doctor}};
  add_study_flags(app, options);
  add_measuring_flags(app, options);
  add_output_flags(app, options);
  add_running_flags(app, options);
  run->add_option("--policy", options.policy, "validation criteria against the baseline: a YAML file (docs/gate.md)")->check(CLI::ExistingFile);
  run->add_flag("--dry-run", options.dry_run, "the same as plan");
  app.add_flag("--json", options.json, "plan, list, compare, gate, doctor: JSON on stdout");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int code = app.exit(error, out, err);
    parsed.out = out.str();
    parsed.err = err.str();
    parsed.exit_now = code == 0 ? static_cast<int>(kAllMeasured) : static_cast<int>(kUsage);
    return parsed;
  }
  if (!options.resume.empty() && options.output_dir.empty()) usage_error("--resume needs -o DIR, the folder of the run to go on with");
  if (plan->parsed() || options.dry_run) options.verb = Verb::plan;
  if (list->parsed()) options.verb = Verb::list;
  for (const auto& [subcommand, verb] : readers)
    if (subcommand->parsed()) options.verb = verb;
  if (options.overrides.scaling) {
    auto& axes = options.overrides.axes;
    const auto ranks = std::find_if(axes.begin(), axes.end(), [](const auto& axis) { return axis.first == "ranks"; });
    if (ranks == axes.end()) {
      parsed.err = "--scaling needs --ranks, for example --ranks 1..8*2\n";
      parsed.exit_now = kUsage;
      return parsed;
    }
    for (const Value& value : scaling::parse_range(ranks->second)) {
      const auto* count = std::get_if<std::int64_t>(&value);
      if (count == nullptr) usage_error(concat("--ranks '", ranks->second, "': allowed: whole numbers"));
      options.overrides.scaling->ranks.push_back(*count);
    }
    axes.erase(ranks);
  }
  return parsed;
}

void apply_settings(const Options& options, scaling::RunSettings& run) {
  const auto lay = [](const auto& flag, auto& setting) {
    if (flag) setting = *flag;
  };
  lay(options.warmup, run.warmup);
  lay(options.min_samples, run.min_samples);
  lay(options.max_samples, run.max_samples);
  if (options.iterations) run.min_samples = run.max_samples = *options.iterations;
  lay(options.visits, run.visits);
  lay(options.scaling_visits, run.scaling_visits);
  lay(options.seed, run.seed);
  lay(options.ci, run.ci);
  lay(options.confidence, run.confidence);
  lay(options.min_time, run.min_time);
  lay(options.warmup_time, run.warmup_time);
  lay(options.budget, run.budget);
  lay(options.order, run.order);
  lay(options.placement, run.placement);
  lay(options.isolation, run.isolation);
  lay(options.schedule, run.schedule);
  lay(options.sync, run.sync);
  lay(options.bind, run.bind);
  lay(options.limits, run.limits);
  if (options.allow_shared_gpu) run.allow_shared_gpu = true;
  scaling::check_settings(run);
}

}  // namespace bench::cli
