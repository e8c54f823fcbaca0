# SPDX-License-Identifier: Apache-2.0
import torch
from torch.nn.functional import silu, softplus

from mamba_ssm import function


@function
def selective_state_update(state, x, dt, A, B, C, D=None, z=None, dt_bias=None, dt_softplus=False, state_batch_indices=None):
    """state (B, H, P, N), updated in place; x, z, dt (B, H, P); A (H, P, N); B, C (B, G, N); D, dt_bias (H, P)."""
    share = x.shape[1] // B.shape[1]
    wide = [mixer.float().repeat_interleave(share, dim=1).unsqueeze(2) for mixer in (B, C)]
    d = dt.float() + dt_bias
    d = (softplus(d) if dt_softplus else d).unsqueeze(-1)
    state.copy_(state * torch.exp(d * A) + d * x.float().unsqueeze(-1) * wide[0])
    return (((state * wide[1]).sum(-1) + D * x.float()) * silu(z.float())).to(x.dtype)
