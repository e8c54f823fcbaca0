// SPDX-License-Identifier: Apache-2.0
// selective_chunk_bwd_torch: LibTorch's autograd through the selective scan on chunks of 16 steps.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp. fp32 and fp64.
//
// Algorithm: the forward pass of selective_chunk_torch is recorded in prepare, with the recurrence of a chunk
// as a custom autograd function whose backward is a loop of in-place addcmul in reverse, so that autograd does
// not record single steps. run is autograd's backward through that record. Nothing of the forward pass is
// timed, though the project's own kernels compute the states again within their time: a handicap for them.
//
// Work: some 20 B L C N FLOPs and no exponentials. Bytes: the record holds decays and states, 8 B L C N bytes
// in fp32, all read again; the gradients of a chunk stay in the caches.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form that a LibTorch user can write without a kernel, where its memory suffices.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kChunk = 16;

/// states_t = x_t + decay_t states_{t-1} along the first axis, from h.
struct ChunkScan : torch::autograd::Function<ChunkScan> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& decay, const at::Tensor& x,
                            const at::Tensor& h) {
    at::Tensor states = x.clone();
    states[0].addcmul_(decay[0], h);
    for (std::int64_t t = 1; t < x.size(0); ++t) states[t].addcmul_(decay[t], states[t - 1]);
    context->save_for_backward({decay, states, h});
    return states;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &decay = saved[0], &states = saved[1], &h = saved[2];
    at::Tensor dx = gradients[0].clone(at::MemoryFormat::Contiguous);
    const std::int64_t later = dx.size(0) - 1;
    for (std::int64_t t = later; t > 0; --t) dx[t - 1].addcmul_(decay[t], dx[t]);
    at::Tensor ddecay = at::empty_like(dx);
    at::Tensor first = ddecay[0], rest = ddecay.narrow(0, 1, later);
    at::mul_out(first, dx[0], h);
    at::mul_out(rest, dx.narrow(0, 1, later), states.narrow(0, 0, later));
    return {ddecay, dx, decay[0] * dx[0]};
  }
};

struct Recorded : Prepared {
  variable_list inputs;   // in the order of kInputs
  variable_list outputs;  // out, h_last
};

constexpr const char* kInputs[] = {"u", "delta", "A", "B", "C", "D", "z", "delta_bias", "h0"};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  use_threads(p.threads);
  auto record = std::make_unique<Recorded>();
  for (const char* name : kInputs)
    record->inputs.push_back(as_torch(tensors[name]).detach().set_requires_grad(true));
  const variable_list& in = record->inputs;
  const at::Tensor u = steps_first(in[0], p.groups), a = states_first(in[2], p.groups);
  const at::Tensor b = in[3].transpose(0, 1).unsqueeze(-1), c = in[4].transpose(0, 1).unsqueeze(-2);
  const at::Tensor d = at::softplus(steps_first(in[1] + in[7], p.groups).contiguous());
  const at::Tensor x = d * u;
  at::Tensor h = states_first(in[8], p.groups);
  variable_list parts;
  // Not narrow: its gradient would be as long as the whole sequence, once a chunk.
  std::vector<std::int64_t> sizes;
  std::vector<bool> starts;
  for (Range chunk{}; chunk.end < p.seq;) {
    chunk = p.segments().piece_at(chunk.end, p.seq, kChunk);
    sizes.push_back(chunk.size());
    starts.push_back(p.segments().start_at(chunk.begin));
  }
  const auto split = [&](const at::Tensor& whole) { return whole.split_with_sizes(sizes); };
  const variable_list ds = split(d), xs = split(x), bs = split(b), cs = split(c);
  for (std::size_t k = 0; k < ds.size(); ++k) {
    if (starts[k]) h = at::zeros_like(h);
    const at::Tensor decay = (ds[k].unsqueeze(-2) * a).exp();
    const at::Tensor states = ChunkScan::apply(decay, xs[k].unsqueeze(-2) * bs[k], h);
    parts.push_back(cs[k].matmul(states).squeeze(-2));
    h = states[-1];
  }
  const at::Tensor y = at::cat(parts, 0) + u * in[5].unflatten(0, {p.groups, -1});
  record->outputs = {(y * at::silu(steps_first(in[6], p.groups))).transpose(0, 1).flatten(2),
                     h.transpose(-1, -2).flatten(1, 2)};
  return record;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  use_threads(problem.threads);
  auto& record = static_cast<Recorded&>(*context.prepared);
  const variable_list gradients =
      torch::autograd::grad(record.outputs, record.inputs,
                            {as_torch(tensors["dout"]), as_torch(tensors["dh_last"])}, /*retain_graph=*/true);
  for (std::size_t i = 0; i < gradients.size(); ++i)
    as_torch(tensors[std::string("d") + kInputs[i]]).copy_(gradients[i]);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_bwd_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd through chunks of 16 steps; its forward is not timed",
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
