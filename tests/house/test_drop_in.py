# SPDX-License-Identifier: Apache-2.0
"""Adding an implementation is one new file: drop one into a copy of the tree, rebuild, and it is listed, verified and measured."""
import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["BENCH_SCALE_BUILD"])

# A right kernel and a wrong one (it forgets to normalise the last row). Both take the naive loops: only the contract is new.
KERNEL = """// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const auto q = view<const float, 4>(std::as_const(tensors)["q"]);
  const auto k = view<const float, 4>(std::as_const(tensors)["k"]);
  const auto v = view<const float, 4>(std::as_const(tensors)["v"]);
  const auto out = view<float, 4>(tensors["out"]);
  const auto lse = view<float, 3>(tensors["lse"]);
  const std::int64_t L = q.extent[2], D = q.extent[3], share = q.extent[1] / k.extent[1];
  for (std::int64_t b = 0; b < q.extent[0]; ++b)
    for (std::int64_t h = 0; h < q.extent[1]; ++h)
      for (std::int64_t i = 0; i < L; ++i) {
        for (std::int64_t d = 0; d < D; ++d) out(b, h, i, d) = 0.0F;
        double sum = 0.0;
        for (std::int64_t j = 0; j < (p.causal ? i + 1 : L); ++j) {
          double s = 0.0;
          for (std::int64_t d = 0; d < D; ++d) s += q(b, h, i, d) * k(b, h / share, j, d);
          const double w = std::exp(s / std::sqrt(static_cast<double>(D)));
          sum += w;
          for (std::int64_t d = 0; d < D; ++d) out(b, h, i, d) += static_cast<float>(w) * v(b, h / share, j, d);
        }
        const double scale = WRONG && i + 1 == L ? 1.0 : 1.0 / sum;
        for (std::int64_t d = 0; d < D; ++d) out(b, h, i, d) = static_cast<float>(out(b, h, i, d) * scale);
        lse(b, h, i) = static_cast<float>(std::log(sum));
      }
}

const Registrar<Kernel> registrar{{.name = "attention/NAME", .op = "attention", .dtypes = {DType::f32}, .supports = supports_no_mask, .run = run}};

}  // namespace
}  // namespace bench::attention
"""


def copy_tree(target: Path):
    for name in ("CMakeLists.txt", "cmake", "src", "kernels", "scaling", "jobs", "analysis"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copy(source, target / name)


def cached(name: str) -> str:
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


def test_one_dropped_file_is_found_verified_and_measured(tmp_path):
    tree = tmp_path / "tree"
    build = tree / "build" / BUILD.name  # as deep as the real one: the same relative paths, so that ccache knows the old files
    tree.mkdir()
    copy_tree(tree)
    if (ROOT / ".venv").exists():
        (tree / ".venv").symlink_to(ROOT / ".venv")
    for name, wrong in (("dropped_cpu", "false"), ("broken_cpu", "true")):
        (tree / "kernels/attention" / f"{name}.cpp").write_text(KERNEL.replace("NAME", name).replace("WRONG", wrong))
    env = dict(os.environ)
    options = [f"-DCMAKE_BUILD_TYPE={cached('CMAKE_BUILD_TYPE')}"]
    if not (ROOT / ".venv").exists():  # a site's own MPI
        options.append(f"-DMPI_CXX_COMPILER={cached('MPI_CXX_COMPILER')}")
    configure = ["cmake", "-S", str(tree), "-B", str(build), "-G", "Ninja", "-DBUILD_TESTING=OFF", "-DBENCH_SCALE_TORCH=OFF", "-DBENCH_SCALE_CUDA=OFF", *options]
    for command in (configure, ["cmake", "--build", str(build), "--target", "bench_scale", "-j", "2"]):
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    program = str(build / "bin/bench_scale")
    listed = json.loads(subprocess.run([program, "list", "--json"], capture_output=True, text=True, check=True).stdout)
    names = {kernel["name"] for kernel in listed["kernels"]}
    assert {"attention/dropped_cpu", "attention/broken_cpu"} <= names

    run = [program, "run", "--study", "smoke", "-k", "attention/dropped_cpu,attention/broken_cpu", "--seq", "33", "--dtype", "fp32",
           "--ranks", "1", "--iterations", "6", "-o", str(tmp_path / "out"), "-q"]
    done = subprocess.run(run, capture_output=True, text=True, env=dict(env, **ROOT_MAY_RUN))
    visits = [json.loads(line)["record"]["visit"] for line in (tmp_path / "out/journal.jsonl").read_text().splitlines()
              if '"kind":"visit"' in line]
    kernels = {case["id"]: case["kernel"] for case in json.loads((tmp_path / "out/journal.jsonl").read_text().splitlines()[0])["record"]["cases"]}
    outcome = {}
    for visit in visits:
        outcome.setdefault(kernels[visit["case_id"]], set()).add(visit["outcome"])
        assert (len(visit["rank_time_s"]) > 0) == (visit["outcome"] == "ok"), "only what passed its check has times"
    assert outcome["attention/dropped_cpu"] == {"ok"}
    assert outcome["attention/broken_cpu"] == {"wrong_result"}
    assert done.returncode == 3, "finished, but some cases failed"


ROOT_MAY_RUN = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
