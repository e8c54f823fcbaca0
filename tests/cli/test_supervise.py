# SPDX-License-Identifier: Apache-2.0
"""launch local --supervise: when a run that died is started again, and when not. player.py stands in for mpirun and dies as it is told."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import BUILD, FAST

PLAYER = Path(__file__).resolve().parent / "player.py"
RUN = ["--study", "smoke", "--op", "recurrence", "--ranks", "1"]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Of a real run, to be played."""
    import conftest
    folder = tmp_path_factory.mktemp("real")
    start = conftest.bench.__wrapped__(folder)
    done = start("run", *RUN, "-o", folder / "out", *FAST)
    assert done.code == 0, done.err
    assert len(done.visits()) >= 4, "enough to die in the middle of"
    return folder / "out" / "journal.jsonl"


def command(folder):
    return [str(BUILD / "bin" / "bench_scale"), "launch", "local", "--supervise", "--np", "2", "--mpirun", f"{sys.executable} {PLAYER}", "-o",
            str(folder), "--", *RUN]


@pytest.fixture
def supervise(tmp_path, journal):
    def start(die="", pause_s=0.0):
        env = dict(os.environ, PLAYER_JOURNAL=str(journal), PLAYER_DIE=die, PLAYER_PAUSE_S=str(pause_s))
        return subprocess.run(command(tmp_path / "run"), capture_output=True, text=True, timeout=120, env=env)

    start.folder = tmp_path / "run"
    return start


def tries(folder):
    return int((folder / "tries").read_text())


def test_a_run_that_ends_well_is_started_once(supervise, journal):
    done = supervise()
    assert done.returncode == 0, done.stderr
    assert tries(supervise.folder) == 1
    assert (supervise.folder / "journal.jsonl").read_text() == journal.read_text()
    words = done.stderr.splitlines()[0].split()
    assert words[1:3] == ["-np", "2"] and words[-3:] == ["-o", str(supervise.folder), "--resume"]


@pytest.mark.parametrize("code", ["-9", "1", "75", "124", "137", "139"])
def test_a_run_that_dies_further_on_is_started_again(supervise, journal, code):
    done = supervise(die=f"1:{code} 2:{code}")
    assert done.returncode == 0, done.stderr
    assert tries(supervise.folder) == 3 and "again" in done.stderr
    assert (supervise.folder / "journal.jsonl").read_text() == journal.read_text(), "nothing is lost and nothing is done twice"


def test_a_run_that_dies_where_it_was_is_given_up_resumable(supervise):
    done = supervise(die="2:137 0:137 0:137 0:137")
    assert done.returncode == 75, done.stderr
    assert tries(supervise.folder) <= 3, "a visit may begin a second time, no third"
    assert "not tried again" in done.stderr
    assert supervise(die="0:137 0:137 0:137 0:137 0:137").returncode == 75
    assert supervise().returncode == 0, "the same command goes on"


@pytest.mark.parametrize("code", [2, 4, 5])
def test_a_slip_in_the_command_is_not_tried_again(supervise, code):
    assert supervise(die=f"1:{code}").returncode == code
    assert tries(supervise.folder) == 1


def test_a_finished_run_is_finished_whatever_mpirun_says(supervise):
    done = supervise(die="100:1")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stderr and tries(supervise.folder) == 1
    assert supervise(die="100:1 100:3").returncode == 3, "a run's own code 3 stays"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_stops_it_resumable(tmp_path, journal, number):
    folder = tmp_path / "run"
    env = dict(os.environ, PLAYER_JOURNAL=str(journal), PLAYER_PAUSE_S="0.2")
    process = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    deadline = time.monotonic() + 60
    while not (folder / "status.json").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 75, words
    assert tries(folder) == 1, "not started again against a wish"
    assert json.loads((folder / "status.json").read_text())["state"] == "stopped"


def test_one_run_and_several_launches_exclude_each_other(bench):
    done = bench("launch", "local", "--supervise", "--launches", "3", "--", "--study", "smoke")
    assert done.code == 2 and "--launches" in done.err
