# SPDX-License-Identifier: Apache-2.0
"""Eight ways that people open results.h5, each of which has broken on somebody's file before. BENCH_SCALE_H5 names the file."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

FILE = Path(os.environ["BENCH_SCALE_H5"])


@pytest.fixture(scope="module")
def truth():
    """What the file says, read with the plainest reader."""
    with h5py.File(FILE) as file:
        return {"case": file["cases/case"].asstr()[:], "kernel": file["cases/kernel"].asstr()[:], "time": file["cases/time"][:],
                "samples": file["samples/t_max"].shape[0]}


def test_1_h5py_makes_a_data_frame():
    with h5py.File(FILE) as file:
        group = file["cases"]
        frame = pd.DataFrame({name: group[name].asstr()[:] if group[name].dtype.kind == "O" else group[name][:] for name in group})
        assert file.attrs["schema"] == b"bench_scale" or file.attrs["schema"] == "bench_scale"
        for name in group:
            if group[name].dtype.kind == "f":
                assert "units" in group[name].attrs and "long_name" in group[name].attrs, name
    assert len(frame) == frame["case"].nunique() > 0


def test_2_pandas_reads_the_compound_table(truth):
    frame = pd.read_hdf(FILE, "tables/cases")
    assert list(frame["case"].str.decode("utf-8") if frame["case"].map(type).eq(bytes).any() else frame["case"]) == list(truth["case"])
    np.testing.assert_array_equal(frame["time"], truth["time"])


def test_3_pytables_selects_rows(truth):
    import tables

    with tables.open_file(FILE) as file:
        rows = [row["time"] for row in file.root.tables.cases.where("time > 0")]
    assert len(rows) == int(np.isfinite(truth["time"]).sum()) > 0


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_4_and_5_xarray_reads_a_labelled_dataset(truth, engine):
    with xr.open_dataset(FILE, group="cases", engine=engine) as data:
        assert list(data.coords) == ["case"] and list(data["case"].values) == list(truth["case"])
        np.testing.assert_array_equal(data["time"].values, truth["time"])
        assert data["time"].attrs["units"] == "s"


def test_6_xarray_opens_the_whole_file_as_a_tree():
    with xr.open_datatree(FILE, engine="h5netcdf") as tree:
        assert {"cases", "visits", "samples", "scaling", "winners", "crossovers", "overlaps", "fits", "telemetry", "limits"} <= set(tree.children)


def test_7_netcdf4_opens_for_append(tmp_path):
    copy = tmp_path / "copy.h5"
    shutil.copy(FILE, copy)
    # A process of its own: another reader of this process may still hold the HDF5 library's state of the file.
    code = "import netCDF4, sys; f = netCDF4.Dataset(sys.argv[1], 'a'); f.note = 'mine'; f.close(); assert netCDF4.Dataset(sys.argv[1]).note == 'mine'"
    done = subprocess.run([sys.executable, "-c", code, str(copy)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_8_h5dump_prints_a_table():
    done = subprocess.run(["h5dump", "-d", "/tables/cases", str(FILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "H5T_COMPOUND" in done.stdout


def test_samples_lead_back_to_their_case(truth):
    with h5py.File(FILE) as file:
        index, time, counts = (file["samples"][name][:] for name in ("case_index", "time", "counts"))
        assert len(time) == truth["samples"] > 0
        measured = np.unique(index)
        assert set(np.flatnonzero(np.isfinite(truth["time"]))) == set(measured)
        for i in measured:
            assert ((index == i) & (counts == 1)).sum() == file["cases/n"][i]
        for i in [i for i in measured if file["cases/n_visits"][i] == 1]:
            assert np.median(time[(index == i) & (counts == 1)]) == pytest.approx(truth["time"][i], rel=1e-12)


def test_the_journal_inside_is_the_journal():
    import hashlib

    with h5py.File(FILE) as file:
        journal = file["provenance/journal"]
        digest = journal.attrs["sha256"]
        assert hashlib.sha256(journal[:].tobytes()).hexdigest() == (digest.decode() if isinstance(digest, bytes) else digest)
