# SPDX-License-Identifier: Apache-2.0
"""What every file owes its reader: a licence line, a bearable length, a head comment in kernels, a README in every room."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 500  # lines; past this a file holds more than one idea
LONGEST_README = 25


def tracked(*suffixes):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True, capture_output=True)
    if listed.returncode:  # an unpacked archive: every file counts
        names = [p.relative_to(ROOT).as_posix() for room in ("src", "kernels", "scaling", "jobs", "analysis", "tests")
                 for p in (ROOT / room).rglob("*")]
    else:
        names = listed.stdout.splitlines()
    return [ROOT / name for name in names if name.endswith(suffixes) and (ROOT / name).is_file()]


CODE = tracked(".cpp", ".hpp", ".cu", ".cuh", ".py", ".sh")


def test_every_source_file_carries_the_licence_line():
    missing = [p.relative_to(ROOT).as_posix() for p in CODE if "SPDX-License-Identifier: Apache-2.0" not in p.read_text()[:300]]
    assert CODE and not missing, missing


def test_no_file_is_longer_than_one_idea():
    long = [(p.relative_to(ROOT).as_posix(), n) for p in CODE if (n := len(p.read_text().splitlines())) > LONGEST_FILE]
    assert not long, long


def test_sources_are_ascii():
    odd = [p.relative_to(ROOT).as_posix() for p in CODE if not p.read_text().isascii()]
    assert not odd, odd


def implementations():
    """Files that register a kernel: <algorithm>_<backend>.cpp."""
    return [p for p in tracked("_cpu.cpp", "_torch.cpp", "_cuda.cu", "_nccl_cuda.cpp", "_command.cpp") if p.relative_to(ROOT).parts[0] == "kernels"]


def head_comment(path: Path) -> list[str]:
    lines = []
    for line in path.read_text().splitlines()[1:]:
        if not line.startswith("//"):
            break
        lines.append(line)
    return lines


@pytest.mark.parametrize("path", implementations(), ids=lambda p: p.stem)
def test_a_kernel_file_says_what_it_computes(path):
    text = "\n".join(head_comment(path))
    assert len(head_comment(path)) >= 6, "a kernel's head comment names formula, shapes, work and source"
    assert re.search(r"\([BHLDCNP]\s*,|\(B", text), "the head comment names no tensor shape such as (B,H,L,D)"


@pytest.mark.parametrize("path", implementations(), ids=lambda p: p.stem)
def test_a_kernel_file_registers_exactly_its_own_name(path):
    names = re.findall(r'\.name\s*=\s*"([^"]+)"', path.read_text())
    own = path.relative_to(ROOT / "kernels").with_suffix("").as_posix()
    assert names == [own], f"registered {names}, the file's name says {own}"


@pytest.mark.parametrize("room", ["src/core", "src/system", "src/comm", "src/device", "src/cli", "kernels", "scaling", "jobs", "analysis", "tests", "slurm"])
def test_every_room_has_a_short_readme(room):
    readme = ROOT / room / "README.md"
    assert readme.exists(), f"{room} has no README.md"
    assert len(readme.read_text().splitlines()) <= LONGEST_README
