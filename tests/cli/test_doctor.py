# SPDX-License-Identifier: Apache-2.0
"""doctor: what is here, what it can do, and that the latter is measured once."""
import json


def doctor(bench, *arguments, cache):
    done = bench("doctor", "--json", *arguments, env={"XDG_CACHE_HOME": str(cache)})
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_says_what_is_here_and_why_something_is_not(bench, tmp_path):
    found = doctor(bench, cache=tmp_path)
    assert found["cores"] >= 1 and found["our kernels use"] in ("plain", "avx2", "avx512")
    for part in ("LibTorch kernels", "CUDA device"):
        assert found[part].startswith("yes") or found[part].startswith("no: "), "never a bare no"
    assert "rates" not in found, "nothing is measured unless asked for"


def test_measures_the_cores_once(bench, tmp_path):
    first = doctor(bench, "--roofline", "--isa", "avx2", cache=tmp_path)
    rates = {rate["name"]: rate for rate in first["rates"]["rates"]}
    assert all(rate["one_core"] > 0 and rate["all_cores"] > 0 for rate in rates.values())
    assert "fp32 multiply-add, plain" in rates and "read, 256 KiB" in rates and "copy, 256 MiB" in rates
    assert not any("avx512" in name for name in rates), "--isa avx2 forbids it"
    assert doctor(bench, "--roofline", "--isa", "avx2", cache=tmp_path)["rates"] == first["rates"]


def test_a_cache_that_is_no_cache_is_measured_over(bench, tmp_path):
    doctor(bench, "--roofline", "--isa", "plain", cache=tmp_path)
    kept, = (tmp_path / "bench_scale").iterdir()
    kept.write_text("{")
    assert doctor(bench, "--roofline", "--isa", "plain", cache=tmp_path)["rates"]["rates"]


def test_an_unknown_isa_is_refused_with_the_list(bench):
    done = bench("doctor", "--isa", "mmx")
    assert done.code == 2 and "avx512" in done.err
    done = bench("doctor", env={"BENCH_SCALE_ISA": "mmx"})
    assert done.code == 2 and "avx512" in done.err


def test_a_run_below_its_processor_says_so(bench):
    done = bench("run", "-c", "smoke", "-k", "attention/flash_tiled_cpu", "-s", "64", "--isa", "plain", "--iterations", "6", "-o", bench.folder)
    assert done.code == 0, done.err
    assert json.loads((done.folder / "env.json").read_text())["kernels"]["isa"] == "plain"
