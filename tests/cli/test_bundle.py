# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` makes: a tree that runs from any folder, knows none of this machine's, and finds LibTorch wherever that is."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import h5py
import pytest
from conftest import BUILD, FAST, MPIEXEC

LARGEST = 60 << 20  # bytes
VENV = Path(MPIEXEC).resolve().parents[1]
OF_THE_MACHINE = re.compile(r"/(ld-linux[^/]*|lib(c|m|dl|pthread|rt|util|resolv|stdc\+\+|gcc_s)\.so\.\d+)$")  # never carried along
AS_ROOT = {f"{mpi}_ALLOW_RUN_AS_ROOT{more}": "1" for mpi in ("OMPI", "PRTE") for more in ("", "_CONFIRM")}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Installed in one folder, then moved to another."""
    folder = tmp_path_factory.mktemp("bundle")
    subprocess.run([shutil.which("cmake"), "--install", BUILD, "--prefix", folder / "first"], check=True, capture_output=True)
    (folder / "first").rename(folder / "second")
    return folder / "second"


def hidden(command):
    """`command` where neither build folder nor Python environment is to be seen, if this user may mount; else as it is."""
    words = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        return command
    folders = [str(BUILD.resolve())] + ([str(VENV)] if (VENV / "pyvenv.cfg").exists() else [])
    hide = "".join(f"mount -t tmpfs none '{folder}' && " for folder in folders)
    return [*words, "sh", "-c", hide + 'exec "$@"', "sh", *command]


def run(bundle, *words, hide=True, **environment):
    """A program of the bundle with nothing of this test's environment."""
    home = bundle.parent / "home"
    home.mkdir(exist_ok=True)
    command = [str(bundle / "bin" / words[0]), *map(str, words[1:])]
    return subprocess.run(hidden(command) if hide else command, capture_output=True, text=True, timeout=240, cwd=home,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(home), **AS_ROOT, **environment})


def elves(bundle):
    return [p for p in bundle.rglob("*") if p.is_file() and not p.is_symlink() and p.read_bytes()[:4] == b"\x7fELF"]


def test_is_small(bundle):
    size = sum(p.lstat().st_size for p in bundle.rglob("*") if p.is_file())
    assert 1 << 20 < size < LARGEST, f"{size / (1 << 20):.1f} MiB"


def test_looks_for_libraries_only_beside_itself(bundle):
    assert len(elves(bundle)) > 10
    for elf in elves(bundle):
        text = subprocess.run(["readelf", "-d", elf], capture_output=True, text=True, check=True).stdout
        for path in re.findall(r"\(R(?:UN)?PATH\).*\[(.*)\]", text):
            assert all(part.startswith("$ORIGIN") for part in path.split(":")), f"{elf}: {path}"


def test_loads_nothing_from_elsewhere_but_the_languages_own_libraries(bundle):
    done = run(bundle, "bench_scale", "list", hide=False, LD_DEBUG="libs", BENCH_SCALE_TORCH="off")
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = set(re.findall(r"calling init: (/\S+)", done.stderr))
    assert any("libgomp" in library for library in loaded)
    foreign = [library for library in loaded if not Path(library).resolve().is_relative_to(bundle.resolve()) and not OF_THE_MACHINE.search(library)]
    assert not foreign, foreign


def test_doctor_says_what_it_found_here(bundle):
    done = run(bundle, "bench_scale", "doctor")
    assert done.returncode == 0, done.stderr
    assert "Open MPI" in done.stdout or not (bundle / "bin/mpirun").exists()


SMALL = ["run", "--study", "smoke", "-k", "attention/flash_tiled_cpu", "-s", "64", *FAST]


def samples(folder):
    """How many a run has kept, its file being readable and every visit well."""
    with h5py.File(folder / "results.h5") as file:
        status = file["visits/status"]
        assert status.attrs["flag_meanings"].split()[0] == "ok" and not status[:].any()
        return len(file["samples/t_max"])


def test_a_rank_alone_measures(bundle, tmp_path):
    done = run(bundle, "bench_scale", *SMALL, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert samples(tmp_path / "out") > 0


def test_its_mpirun_starts_ranks(bundle, tmp_path):
    if not (bundle / "bin/mpirun").exists():
        pytest.skip("built with an MPI of this site, which no bundle carries")
    done = run(bundle, "mpirun", "--oversubscribe", "-np", "2", bundle / "bin/bench_scale", *SMALL, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert samples(tmp_path / "out") > 0
    wrong = run(bundle, "mpirun", "--no-such-option", "true")
    assert "no-such-option" in wrong.stdout + wrong.stderr, "it does not find its texts"


def test_launch_starts_the_mpirun_that_came_along(bundle, tmp_path):
    if not (bundle / "bin/mpirun").exists():
        pytest.skip("built with an MPI of this site, which no bundle carries")
    done = run(bundle, "bench_scale", "launch", "local", "--launches", "1", "--np", "1", "-o", tmp_path / "out", "--", *SMALL[1:])
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("results.h5"))


def torch_says(bundle, **environment):
    done = run(bundle, "bench_scale", "doctor", hide=False, **environment)
    assert done.returncode == 0, done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("LibTorch"))


@pytest.fixture(scope="module")
def torch():
    found = [p for p in VENV.glob("lib/python3*/site-packages/torch") if (p / "lib/libtorch_cpu.so").exists()]
    if not found or not (BUILD / "bin/libbench_torch.so").exists():
        pytest.skip("this build has no LibTorch")
    return found[0]


@pytest.mark.parametrize("way", ["named", "linker", "active environment", "PATH", "PYTHONPATH"])
def test_finds_libtorch(bundle, torch, way):
    environment = {"named": {"BENCH_SCALE_TORCH": str(torch)}, "linker": {"LD_LIBRARY_PATH": str(torch / "lib")},
                   "active environment": {"VIRTUAL_ENV": str(VENV)}, "PATH": {"PATH": f"{VENV}/bin:/usr/bin:/bin"},
                   "PYTHONPATH": {"PYTHONPATH": str(torch.parent)}}[way]
    said = torch_says(bundle, **environment)
    assert "yes: " in said and str(torch) in said and re.search(r"\d+\.\d+\.\d+", said), said


def test_measures_with_libtorch(bundle, torch, tmp_path):
    done = run(bundle, "bench_scale", "run", "--study", "smoke", "-k", "attention/sdpa_math_torch", "-s", "64", *FAST, "-o", tmp_path / "out",
               hide=False, LD_LIBRARY_PATH=str(torch / "lib"))
    assert done.returncode == 0, done.stderr
    assert samples(tmp_path / "out") > 0


def test_refuses_a_libtorch_that_it_was_not_built_for(bundle, torch, tmp_path):
    other = tmp_path / "torch"
    (other / "lib").mkdir(parents=True)
    (other / "lib/libtorch_cpu.so").write_bytes(b"")
    (other / "version.py").write_text("__version__ = '1.13.1'\n")
    said = torch_says(bundle, BENCH_SCALE_TORCH=str(other))
    assert "no: " in said and "1.13.1" in said and "built for" in said, said


def test_says_where_it_looked_for_libtorch(bundle, torch, tmp_path):
    assert "no libtorch_cpu.so there" in torch_says(bundle, BENCH_SCALE_TORCH=str(tmp_path))
    done = run(bundle, "bench_scale", "doctor", PATH="/bin")
    assert "LibTorch kernels" in done.stdout and done.returncode == 0
