"""PyTorch as its users write it: a loop over hand-written cells, torch.func and batched gradients."""

import numpy as np
import torch

from peers import CHECK_STEPS, Work, spread

# Results of one block of columns stay below this.
BLOCK_BYTES = 2**27


def make_step(case, cell):
    kernel, recurrent = torch.from_numpy(cell["kernel"]), torch.from_numpy(cell["recurrent"])
    bias = torch.zeros(kernel.shape[1]) if cell["bias"] is None else torch.from_numpy(cell["bias"])
    units = recurrent.shape[0]

    def simple_rnn(state, x):
        return (torch.tanh(x @ kernel + state[0] @ recurrent + bias),)

    def lstm(state, x):
        h, c = state
        i, f, g, o = (x @ kernel + h @ recurrent + bias).split(units, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def gru(state, x):
        h = state[0]
        xz, xr, xn = (x @ kernel + bias).split(units, dim=-1)
        hz, hr, hn = (h @ recurrent).split(units, dim=-1)
        z, r = torch.sigmoid(xz + hz), torch.sigmoid(xr + hr)
        return (z * h + (1 - z) * torch.tanh(xn + r * hn),)

    return {"SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru}[case.kind]


def zero_state(case):
    zero = torch.zeros(case.units)
    return (zero, zero) if case.has_cell else (zero,)


def states_of(case):
    step = make_step(case, case.cells[0])

    def run(x):
        state, all_states = zero_state(case), []
        for x_t in x.unbind(0):
            state = step(state, x_t)
            all_states.append(torch.cat(state))
        return torch.stack(all_states)

    return run


def disturbed(case, x):
    step = make_step(case, case.cells[0])

    def run(added):
        state, all_states = zero_state(case), []
        for x_t, d in zip(x.unbind(0), added.unbind(0)):
            moved = torch.cat(step(state, x_t)) + d
            state = moved.split(case.units)
            all_states.append(moved)
        return torch.stack(all_states)

    return run


def stacked(case):
    steps = [make_step(case, cell) for cell in case.cells]

    def direction(step, values):
        state, all_states = zero_state(case), []
        for x_t in values:
            state = step(state, x_t)
            all_states.append(state[0])
        return all_states

    def run(x):
        values = list(x.unbind(0))
        for at in range(0, len(steps), 2):
            forward = direction(steps[at], values)
            backward = direction(steps[at + 1], values[::-1])[::-1]
            values = [torch.cat(both) for both in zip(forward, backward)]
        return torch.stack(values)

    return run


def by_columns(function, point, rows):
    """Squared norms of all columns of the Jacobian at every target, block by block: jacfwd that fits the memory."""
    steps, width = point.shape
    total = steps * width
    block = max(1, min(total, BLOCK_BYTES // (4 * steps * rows)))
    starts = list(range(0, total, block))

    def run(start):
        count = min(block, total - start)
        tangents = torch.zeros(count, total)
        tangents[torch.arange(count), start + torch.arange(count)] = 1.0

        def column(tangent):
            return (torch.func.jvp(function, (point,), (tangent,))[1] ** 2).sum(dim=1)

        return torch.func.vmap(column)(tangents.reshape(count, steps, width))

    return Work([starts[at] for at in spread(len(starts))], run, "every block of columns costs the same")


def final(case, x):
    """dh_T/dx by reverse mode, all rows of h in one batch."""
    x = x.clone().requires_grad_(True)
    h = states_of(case)(x)[-1, : case.units]
    return torch.autograd.grad(h, x, torch.eye(case.units), is_grads_batched=True)[0]


def work(case):
    x = torch.from_numpy(case.x[0])
    if case.mode == "views":
        return Work([0], lambda _: torch.func.jacfwd(states_of(case))(x), "whole")
    if case.mode == "pairs":
        return by_columns(states_of(case), x, case.state_size)
    if case.mode == "state pairs":
        return by_columns(disturbed(case, x), torch.zeros(case.steps, case.state_size), case.state_size)
    if case.mode == "stack pairs":
        return by_columns(stacked(case), x, 2 * case.units)
    if case.mode == "final":
        return Work([0], lambda _: final(case, x), "whole, h only")
    if case.mode == "diagonal":
        return diagonal(case)
    return None


def diagonal(case):
    step = make_step(case, case.cells[0])

    def run(b):
        x = torch.from_numpy(case.x[b])
        state, before = zero_state(case), []
        for x_t in x.unbind(0):
            before.append(state)
            state = step(state, x_t)
        stacked_states = tuple(torch.stack(part) for part in zip(*before))
        of_step = lambda state, x_t: torch.func.jacfwd(lambda x: step(state, x))(x_t)
        return torch.func.vmap(of_step)(stacked_states, x)

    return Work(list(range(case.batch)), run, "every sequence costs the same")


def check(case):
    """ln of the norms of dh_T/dx_s over the first steps, by this peer's own derivative."""
    jacobian = final(case, torch.from_numpy(case.x[0][:CHECK_STEPS])).double().numpy()
    return np.log(np.sqrt((jacobian**2).sum(axis=(0, 2)))).tolist()
