# SPDX-License-Identifier: Apache-2.0
"""What --save-outputs keeps agrees with PyTorch, and with plain scans written here: nobody has to believe our own oracle.

Sizes: small, because a Python loop over steps is slow; lengths and head widths that no tile divides.
Tolerances, of the largest value: everything is compared with fp64. fp32: sums of some hundred products, each rounded to 6e-8, grow to 2e-6; ten times
that for exponentials of long sums. bf16: outputs are rounded to 8 bits, half a unit of which is 4e-3 of a value at most; a
backward pass starts from a forward result rounded in the same way, and from its sum with dout, each of which counts once more.
"""
import h5py
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not in this environment")

TOLERANCE = {("fp32", "fwd"): 2e-5, ("fp32", "bwd"): 2e-5, ("bf16", "fwd"): 4e-3, ("bf16", "bwd"): 1.2e-2}
STUDY = """
schema_version: 1
name: outputs
run: {warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, budget: 0.2}
sweeps:
  - {name: attention, op: attention, kernels: [attention/flash_tiled_cpu, attention/naive_cpu],
     axes: {causal: [true, false], dtype: [fp32, bf16]}, fixed: {seq: 193, heads: 4, kv_heads: 2, head_dim: 40}}
  - {name: backward, op: attention, kernels: [attention/flash_tiled_bwd_cpu],
     axes: {causal: [true, false], dtype: [fp32, bf16]}, fixed: {seq: 97, heads: 4, kv_heads: 2, head_dim: 40, pass: bwd}}
  - {name: masks, op: attention, kernels: [attention/flash_tiled_cpu], axes: {causal: [true, false], window: [0, 20]},
     fixed: {batch: 3, seq: 101, heads: 4, kv_heads: 2, head_dim: 40, dtype: fp32, key_lengths: ragged}}
  - {name: masks_backward, op: attention, kernels: [attention/flash_tiled_bwd_cpu], axes: {causal: [true, false], window: [0, 20]},
     fixed: {batch: 3, seq: 101, heads: 4, kv_heads: 2, head_dim: 40, dtype: fp32, key_lengths: ragged, pass: bwd}}
  - {name: keys, op: attention, kernels: [attention/flash_tiled_cpu], axes: {causal: [true, false], kv_seq: [150, 61]},
     fixed: {seq: 101, heads: 4, kv_heads: 2, head_dim: 40, dtype: fp32}}
  - {name: keys_backward, op: attention, kernels: [attention/flash_tiled_bwd_cpu], axes: {causal: [true, false], kv_seq: [150, 61]},
     fixed: {seq: 101, heads: 4, kv_heads: 2, head_dim: 40, dtype: fp32, pass: bwd}}
  - {name: packed_attention, op: attention, kernels: [attention/flash_tiled_cpu], axes: {causal: [true, false], softcap: [0, 2]},
     fixed: {seq: 101, segments: 7, heads: 4, kv_heads: 2, head_dim: 40, dtype: fp32}}
  - {name: packed_attention_backward, op: attention, kernels: [attention/flash_tiled_bwd_cpu], axes: {causal: [true, false], softcap: [0, 2]},
     fixed: {seq: 101, segments: 7, heads: 4, kv_heads: 2, head_dim: 40, dtype: fp32, pass: bwd}}
  - {name: decode, op: decode, kernels: [decode/paged_cpu, decode/naive_cpu], axes: {lengths: [equal, ragged], dtype: [fp32, bf16]},
     fixed: {batch: 3, seq: 193, heads: 6, kv_heads: 2, head_dim: 40, page: 32}}
  - {name: ring, op: attention, kernels: [attention/ring_cpu],
     axes: {layout: [contiguous, zigzag, striped]}, fixed: {seq: 131, heads: 2, head_dim: 32, causal: true, ranks: 2}}
  - {name: recurrence, op: recurrence, kernels: [scan/recurrence_chunked_cpu], axes: {dtype: [fp32, bf16]}, fixed: {seq: 131, channels: 24}}
  - {name: selective, op: selective, kernels: [scan/selective_chunked_cpu], axes: {dtype: [fp32, bf16]},
     fixed: {batch: 2, seq: 67, channels: 24, state: 8, groups: 2}}
  - {name: packed, op: selective, kernels: [scan/selective_chunked_cpu], axes: {segments: [5, 67]},
     fixed: {batch: 2, seq: 67, channels: 24, state: 8, groups: 2}}
  - {name: ssd, op: ssd, kernels: [scan/ssd_chunked_cpu], axes: {dtype: [fp32, bf16]},
     fixed: {batch: 2, seq: 131, heads: 4, head_dim: 16, state: 24, groups: 2}}
  - {name: linear, op: linear, kernels: [linear/plain_cpu], axes: {dtype: [fp32, bf16]}, fixed: {tokens: 5, in_features: 77, out_features: 51}}
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Every case's file of one run on two ranks: (attributes, tensors in fp64)."""
    import os
    import subprocess

    from conftest import BUILD, MPIEXEC

    folder = tmp_path_factory.mktemp("outputs")
    (folder / "study.yaml").write_text(STUDY)
    command = [MPIEXEC, "--oversubscribe", "-np", "2", BUILD / "bin" / "bench_scale", "run", "-c", folder / "study.yaml", "--save-outputs", "-o", folder / "out"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=240, env=dict(os.environ, OMP_NUM_THREADS="1"))
    assert done.returncode == 0, done.stderr
    files = []
    for path in sorted((folder / "out" / "outputs").glob("*.h5")):
        with h5py.File(path) as file:
            files.append((dict(file.attrs), {name: torch.from_numpy(file[name][()]).double() for name in file}))
    assert len(files) == 8 + 4 + 4 + 4 + 4 * 4 + 8 + 3 + 5 * 2, "a file for each case"
    return files


def expect_close(attributes, name, ours, theirs):
    error = float((ours - theirs).abs().max() / theirs.abs().max())
    assert error <= TOLERANCE[attributes["dtype"], attributes["pass"]], f"{attributes['kernel']} {dict(attributes)}: {name} is off by {error:.2g} of the largest value"


def cases(kept, workload, direction="fwd"):
    found = [(a, t) for a, t in kept if a["workload"] == workload and a["pass"] == direction]
    assert found
    return found


def seen(attributes, t):
    """(B, 1, L, Lk): which keys a row sees, of the sequence's own, of its window and not behind it; the last row stands at the last key."""
    length, keys = t["q"].shape[2], t["k"].shape[2]
    valid = t.get("key_lengths", torch.full((t["q"].shape[0],), keys)).reshape(-1, 1, 1, 1)
    behind = torch.arange(length).reshape(-1, 1) + keys - length - torch.arange(keys)
    mask = (torch.arange(keys) < valid) & (behind.abs() < (attributes["window"] or length + keys))
    if "cu_seqlens" in t:
        sequence = torch.bucketize(torch.arange(length), t["cu_seqlens"][1:].long(), right=True)
        mask = mask & (sequence.reshape(-1, 1) == sequence)
    return mask & (behind >= 0) if attributes["causal"] else mask


def sdpa(attributes, t, q, k, v):
    """PyTorch's, with zeros where a row sees no key."""
    mask = seen(attributes, t)
    if attributes["softcap"]:
        return capped(attributes["softcap"], mask, q, k, v)
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    return torch.where(mask.any(-1, keepdim=True), out, 0.0)


def capped(cap, mask, q, k, v):
    """The same of capped scores, which scaled_dot_product_attention does not know; every row sees a key."""
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    scores = float(cap) * torch.tanh(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 / float(cap))
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v


def test_attention_is_pytorchs(kept):
    for attributes, t in cases(kept, "attention"):
        expect_close(attributes, "out", t["out"], sdpa(attributes, t, t["q"], t["k"], t["v"]))


def test_attentions_gradients_are_pytorchs(kept):
    for attributes, t in cases(kept, "attention", "bwd"):
        q, k, v = (t[name].clone().requires_grad_() for name in "qkv")
        sdpa(attributes, t, q, k, v).backward(t["dout"])
        for name, leaf in (("dq", q), ("dk", k), ("dv", v)):
            expect_close(attributes, name, t[name], leaf.grad)


def test_decoding_is_pytorchs_attention_of_gathered_pages(kept):
    for attributes, t in cases(kept, "decode"):
        for b, length in enumerate(t["cache_seqlens"].long()):
            pages = t["block_table"][b].long()
            k, v = (t[name][pages].flatten(0, 1)[:length].transpose(0, 1) for name in ("k_cache", "v_cache"))  # (Hkv, tokens, D)
            out = torch.nn.functional.scaled_dot_product_attention(t["q"][b, None, :, None], k[None], v[None], enable_gqa=True)
            expect_close(attributes, "out", t["out"][b], out[0, :, 0])


def test_a_recurrence_is_a_plain_loop(kept):
    for attributes, t in cases(kept, "recurrence"):
        state, rows = t["h0"], []
        for step in range(t["a"].shape[1]):
            state = t["a"][:, step] * state + t["b"][:, step]
            rows.append(state)
        expect_close(attributes, "h", t["h"], torch.stack(rows, 1))


def by_group(tensor, count):
    """(B, L, G, N) -> (B, L, count, N): each group for its channels or heads."""
    return tensor.repeat_interleave(count // tensor.shape[2], 2)


def test_a_selective_scan_is_a_plain_loop(kept):
    for attributes, t in cases(kept, "selective"):
        channels = t["u"].shape[2]
        delta = torch.nn.functional.softplus(t["delta"] + t["delta_bias"])
        mix_in, mix_out = by_group(t["B"], channels), by_group(t["C"], channels)
        state, rows = t["h0"], []
        starts = t["cu_seqlens"][1:-1].tolist()
        assert len(starts) == attributes["segments"] - 1
        for step in range(t["u"].shape[1]):
            decay = torch.exp(delta[:, step, :, None] * t["A"])
            if step in starts:  # another sequence: nothing is left of the one before
                state = torch.zeros_like(state)
            state = decay * state + (delta[:, step] * t["u"][:, step])[..., None] * mix_in[:, step]
            rows.append((state * mix_out[:, step]).sum(-1))
        out = (torch.stack(rows, 1) + t["D"] * t["u"]) * torch.nn.functional.silu(t["z"])
        expect_close(attributes, "out", t["out"], out)
        expect_close(attributes, "h_last", t["h_last"], state)


def test_ssd_is_a_plain_loop(kept):
    for attributes, t in cases(kept, "ssd"):
        heads = t["x"].shape[2]
        delta = torch.nn.functional.softplus(t["dt"] + t["dt_bias"])
        mix_in, mix_out = by_group(t["B"], heads), by_group(t["C"], heads)
        state, rows = t["h0"], []
        for step in range(t["x"].shape[1]):
            decay = torch.exp(delta[:, step] * t["A"])
            state = decay[..., None, None] * state + (delta[:, step, :, None] * t["x"][:, step])[..., None] * mix_in[:, step, :, None, :]
            rows.append((state * mix_out[:, step, :, None, :]).sum(-1))
        expect_close(attributes, "out", t["out"], torch.stack(rows, 1) + t["D"][:, None] * t["x"])
        expect_close(attributes, "h_last", t["h_last"], state)


def test_a_linear_layer_is_pytorchs(kept):
    for attributes, t in cases(kept, "linear"):
        expect_close(attributes, "y", t["y"], torch.nn.functional.linear(t["x"], t["w"], t["bias"]))
