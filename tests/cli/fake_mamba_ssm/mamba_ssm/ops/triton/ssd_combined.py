# SPDX-License-Identifier: Apache-2.0
import torch
from torch.nn.functional import silu, softplus

from mamba_ssm import function


@function
def mamba_chunk_scan_combined(x, dt, A, B, C, chunk_size, D=None, z=None, dt_bias=None, initial_states=None, seq_idx=None, cu_seqlens=None,
                              dt_softplus=False, dt_limit=(0.0, float("inf")), return_final_states=False):
    """x, z (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); initial_states (B, H, P, N)."""
    share = x.shape[2] // B.shape[2]
    wide = [mixer.float().repeat_interleave(share, dim=2) for mixer in (B, C)]
    d = dt.float() + dt_bias
    d = (softplus(d) if dt_softplus else d).clamp(*dt_limit)
    state, y = initial_states.clone(), []
    for t in range(x.shape[1]):
        state = torch.exp(d[:, t] * A)[..., None, None] * state + (d[:, t, :, None] * x[:, t].float()).unsqueeze(-1) * wide[0][:, t].unsqueeze(2)
        y.append((state * wide[1][:, t].unsqueeze(2)).sum(-1))
    out = torch.stack(y, dim=1) + D.unsqueeze(-1) * x.float()
    return (out if z is None else out * silu(z.float())).to(x.dtype)
