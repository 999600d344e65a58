"""JAX as its users write it: jit, scan, jacfwd or jacrev of the whole recurrence."""

import jax
import jax.numpy as jnp
import numpy as np

from peers import CHECK_STEPS, Work, spread

# Results of one block of columns stay below this.
BLOCK_BYTES = 2**28


def make_step(case, cell):
    """step(state, x) -> state; state is h, or (h, c)."""
    kernel, recurrent = jnp.asarray(cell["kernel"]), jnp.asarray(cell["recurrent"])
    bias = jnp.zeros(kernel.shape[1]) if cell["bias"] is None else jnp.asarray(cell["bias"])
    units = recurrent.shape[0]

    def simple_rnn(h, x):
        return jnp.tanh(x @ kernel + h @ recurrent + bias)

    def lstm(state, x):
        h, c = state
        i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def gru(h, x):
        by_x, by_h = x @ kernel + bias, h @ recurrent
        z = jax.nn.sigmoid(by_x[:units] + by_h[:units])
        r = jax.nn.sigmoid(by_x[units : 2 * units] + by_h[units : 2 * units])
        return z * h + (1 - z) * jnp.tanh(by_x[2 * units :] + r * by_h[2 * units :])

    return {"SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru}[case.kind]


def zero_state(case, units=None):
    zero = jnp.zeros(units or case.units, jnp.float32)
    return (zero, zero) if case.has_cell else zero


def states_of(case, x):
    """All states [T, S] as a function of x [T, D]."""
    step = make_step(case, case.cells[0])

    def run(x):
        def body(state, x_t):
            state = step(state, x_t)
            return state, jnp.concatenate(state) if case.has_cell else state

        return jax.lax.scan(body, zero_state(case), x)[1]

    return run


def disturbed(case, x):
    """All states [T, S] as a function of what is added to each state [T, S]."""
    step = make_step(case, case.cells[0])

    def run(added):
        def body(state, both):
            x_t, d = both
            state = step(state, x_t)
            state = (state[0] + d[: case.units], state[1] + d[case.units :]) if case.has_cell else state + d
            return state, jnp.concatenate(state) if case.has_cell else state

        return jax.lax.scan(body, zero_state(case), (x, added))[1]

    return run


def stacked(case, x):
    """h of both directions of the last bidirectional layer [T, 2H]."""
    steps = [make_step(case, cell) for cell in case.cells]

    def run(x):
        for at in range(0, len(steps), 2):

            def direction(step, values, reverse):
                def body(state, x_t):
                    state = step(state, x_t)
                    return state, state[0] if case.has_cell else state

                return jax.lax.scan(body, zero_state(case), values, reverse=reverse)[1]

            x = jnp.concatenate([direction(steps[at], x, False), direction(steps[at + 1], x, True)], axis=1)
        return x

    return run


def by_columns(case, function, point, rows):
    """Squared norms of all columns of the Jacobian at every target, block by block: jacfwd that fits the memory."""
    steps, width = point.shape
    total = steps * width
    block = max(1, min(total, BLOCK_BYTES // (4 * steps * rows)))
    starts = list(range(0, total, block))

    @jax.jit
    def run(start):
        def column(k):
            tangent = jnp.zeros(total, jnp.float32).at[start + k].set(1.0).reshape(steps, width)
            return jnp.sum(jax.jvp(function, (point,), (tangent,))[1] ** 2, axis=1)

        return jax.vmap(column)(jnp.arange(block))

    return Work(
        units=[starts[at] for at in spread(len(starts))],
        run=lambda start: jax.block_until_ready(run(start)),
        law="every block of columns costs the same",
    )


def work(case):
    x = jnp.asarray(case.x[0])
    if case.mode == "views":
        # Everything at once is the cheapest way to ask for diagonal, final and states of a toy; cold is what counts.
        run = jax.jit(jax.jacfwd(states_of(case, x)))
        return Work([0], lambda _: jax.block_until_ready(run(x)), "whole")
    if case.mode == "pairs":
        return by_columns(case, states_of(case, x), x, case.state_size)
    if case.mode == "state pairs":
        return by_columns(case, disturbed(case, x), jnp.zeros((case.steps, case.state_size)), case.state_size)
    if case.mode == "stack pairs":
        return by_columns(case, stacked(case, x), x, 2 * case.units)
    if case.mode == "final":
        states = states_of(case, x)
        run = jax.jit(jax.jacrev(lambda x: states(x)[-1, : case.units]))
        return Work([0], lambda _: jax.block_until_ready(run(x)), "whole, h only")
    if case.mode == "diagonal":
        return diagonal(case)
    if case.mode == "spectrum":
        return spectrum(case)
    return None


def diagonal(case):
    step = make_step(case, case.cells[0])

    @jax.jit
    def run(x):
        def body(state, x_t):
            return step(state, x_t), state

        before = jax.lax.scan(body, zero_state(case), x)[1]
        return jax.vmap(lambda state, x_t: jax.jacfwd(lambda x: step(state, x))(x_t))(before, x)

    return Work(
        units=list(range(case.batch)),
        run=lambda b: jax.block_until_ready(run(jnp.asarray(case.x[b]))),
        law="every sequence costs the same",
    )


def spectrum(case):
    step = make_step(case, case.cells[0])
    x = jnp.asarray(case.x[0])
    first = jnp.eye(case.state_size, case.directions)

    @jax.jit
    def run(x):
        def body(carry, x_t):
            state, tangents = carry

            def push(tangent):
                split = (tangent[: case.units], tangent[case.units :]) if case.has_cell else tangent
                moved = jax.jvp(lambda s: step(s, x_t), (state,), (split,))[1]
                return jnp.concatenate(moved) if case.has_cell else moved

            q, r = jnp.linalg.qr(jax.vmap(push, in_axes=1, out_axes=1)(tangents))
            return (step(state, x_t), q), jnp.log(jnp.abs(jnp.diagonal(r)))

        return jnp.mean(jax.lax.scan(body, (zero_state(case), first), x)[1], axis=0)

    return Work([0], lambda _: jax.block_until_ready(run(x)), "whole, QR at each step")


def check(case):
    """ln of the norms of dh_T/dx_s over the first steps, by this peer's own derivative."""
    x = jnp.asarray(case.x[0][:CHECK_STEPS])
    states = states_of(case, x)
    jacobian = np.asarray(jax.jacrev(lambda x: states(x)[-1, : case.units])(x), np.float64)
    return np.log(np.sqrt((jacobian**2).sum(axis=(0, 2)))).tolist()
