# SPDX-License-Identifier: Apache-2.0
"""merge from end to end: real runs in pieces, their folders, journals and files, and what is refused."""
import json

import h5py
import pytest
from conftest import FAST

ATTENTION = ["--study", "smoke", "--op", "attention", "-k", "attention/ring_cpu,attention/naive_cpu", "--seq", "64", "--dtype", "fp32"]
RECURRENCE = ["--study", "smoke", "--op", "recurrence", "-k", "scan/recurrence_chunked_cpu"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two pieces of a study and the second piece again; made once."""
    import conftest
    folder = tmp_path_factory.mktemp("runs")
    start = conftest.bench.__wrapped__(folder)
    made = {}
    for name, study in {"one": ATTENTION, "two": RECURRENCE, "again": RECURRENCE}.items():
        made[name] = start("run", *study, "-o", folder / name, *FAST, folder=folder / name)
        assert made[name].code == 0, made[name].err
    return made


def merged(bench, *inputs, out="merged", code=0):
    folder = bench.folder.parent / out
    done = bench("merge", "-o", folder, *inputs, folder=folder)
    assert done.code == code, done.err
    return done


def test_pieces_become_one_folder_like_a_runs(bench, runs):
    done = merged(bench, runs["one"].folder, runs["two"].folder)
    assert len(done.visits()) == len(runs["one"].visits()) + len(runs["two"].visits())
    assert {case["id"] for case in done.cases()} == {case["id"] for name in ("one", "two") for case in runs[name].cases()}
    assert "attention/naive_cpu" in done.out and "scan/recurrence_chunked_cpu" in done.out
    status = json.loads((done.folder / "status.json").read_text())
    assert status["state"] == "finished" and status["done"] == status["total"] > 0
    assert "merged from" in (done.folder / "summary.md").read_text()
    with h5py.File(done.folder / "results.h5") as file:
        sources = {name.decode() for name in file["visits/run"][:]}
        assert len(sources) == 2 and "" not in sources
        assert bytes(file["provenance/journal"][:]) == (done.folder / "journal.jsonl").read_bytes()


def test_a_journal_or_a_results_file_is_as_good_as_its_folder(bench, runs):
    by_folder = merged(bench, runs["one"].folder, runs["two"].folder)
    by_file = merged(bench, runs["one"].folder / "journal.jsonl", runs["two"].folder / "results.h5", out="by_file")
    assert (by_file.folder / "results.h5").read_bytes() == (by_folder.folder / "results.h5").read_bytes()
    everything = merged(bench, runs["one"].folder.parent, out="everything")
    assert len(everything.visits()) == sum(len(run.visits()) for run in runs.values()), "a folder stands for all runs below it"


def test_the_same_run_twice_counts_once_and_another_is_kept_beside(bench, runs):
    twice = merged(bench, runs["two"].folder, runs["two"].folder / "results.h5")
    assert len(twice.visits()) == len(runs["two"].visits()) and "more than once" in twice.err
    both = merged(bench, runs["two"].folder, runs["again"].folder, out="both")
    assert len(both.visits()) == 2 * len(runs["two"].visits()), "two runs of one case are two measurements"
    assert len({(visit["case_id"], visit["visit"]) for visit in both.visits()}) == len(both.visits()), "each with a number of its own"
    assert "several runs" in both.err


def test_a_merge_can_be_merged_and_makes_way_for_a_larger_one(bench, runs):
    small = merged(bench, runs["one"].folder, out="small")
    large = merged(bench, small.folder, runs["two"].folder, out="large")
    at_once = merged(bench, runs["one"].folder, runs["two"].folder, out="at_once")
    assert sorted(map(json.dumps, large.visits())) == sorted(map(json.dumps, at_once.visits()))
    grown = merged(bench, runs["one"].folder, runs["two"].folder, out="small")
    assert len(grown.visits()) == len(at_once.visits())
    shrunk = merged(bench, runs["two"].folder, out="small", code=2)
    assert "not among these" in shrunk.err, "nothing that was merged is lost by a slip"
    assert "holds a run" in merged(bench, runs["one"].folder, out=runs["two"].folder, code=2).err


def test_a_torn_tail_is_left_out_and_a_run_that_never_began_is_named(bench, runs, tmp_path):
    torn, empty = tmp_path / "torn", tmp_path / "empty"
    torn.mkdir(), empty.mkdir()
    whole = (runs["one"].folder / "journal.jsonl").read_bytes()
    (torn / "journal.jsonl").write_bytes(whole[:-40])
    (empty / "journal.jsonl").write_bytes(b"")
    done = merged(bench, torn, empty)
    assert "unfinished record" in done.err and "nothing to merge" in done.err
    assert len(done.visits()) == len(runs["one"].visits()) - (1 if '"kind":"visit"' in whole.decode().splitlines()[-1] else 0)
    assert merged(bench, empty, out="none", code=5)


def test_other_environments_are_merged_only_when_told_to(bench, runs, tmp_path):
    import zlib
    other = tmp_path / "other"
    other.mkdir()
    lines = []
    for line in (runs["two"].folder / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)["record"]
        if record["kind"] == "env":
            record["provenance"]["cpu"]["model"] = "Another Processor"
            record.pop("env_id", None)
        text = json.dumps(record, separators=(",", ":"))
        lines.append(f'{{"len":{len(text)},"crc32":"{zlib.crc32(text.encode()):08x}","record":{text}}}\n')
    (other / "journal.jsonl").write_text("".join(lines))
    refused = merged(bench, runs["one"].folder, other, code=2)
    assert "Another Processor" in refused.err and "--allow-env-change" in refused.err
    allowed = bench("merge", "--allow-env-change", "-o", bench.folder, runs["one"].folder, other)
    assert allowed.code == 0, allowed.err


def test_slips_are_named(bench, runs, tmp_path):
    assert "does not exist" in merged(bench, tmp_path / "nowhere", code=2).err
    (tmp_path / "bare").mkdir()
    assert "no run below" in merged(bench, tmp_path / "bare", code=2).err
    without = bench("merge", runs["one"].folder)
    assert without.code == 2 and "-o DIR" in without.err
    damaged = tmp_path / "journal.jsonl"
    damaged.write_bytes(b'{"len":3,"crc32":"00000000","record":{}}\n' + (runs["one"].folder / "journal.jsonl").read_bytes())
    assert "journal.jsonl:1" in merged(bench, damaged, code=75).err
