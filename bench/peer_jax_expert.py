"""The direct recursion written by hand in JAX, as an expert would who knows the closed form of the step Jacobians.

All pairs push tiles of sources to the end; `final` pulls rows from the end. Nothing is rescaled, so that norms below
1e-38 are lost, which the other way round would cost more.
"""

import jax
import jax.numpy as jnp
import numpy as np

from peers import CHECK_STEPS, Work, spread

# Columns that are pushed together.
COLUMNS = 512


def gates_of(case, x):
    """The factors of every step's Jacobian, each [T, H], from one forward pass."""
    cell = case.cells[0]
    kernel, recurrent = jnp.asarray(cell["kernel"]), jnp.asarray(cell["recurrent"])
    bias = jnp.zeros(kernel.shape[1]) if cell["bias"] is None else jnp.asarray(cell["bias"])
    units = case.units
    zero = jnp.zeros(units, jnp.float32)

    def lstm(state, x_t):
        h, before = state
        i, f, g, o = jnp.split(x_t @ kernel + h @ recurrent + bias, 4)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = f * before + i * g
        t = jnp.tanh(c)
        factors = {
            "i": g * i * (1 - i),
            "f": before * f * (1 - f),
            "g": i * (1 - g * g),
            "o": t * o * (1 - o),
            "keep": f,
            "through": o * (1 - t * t),
        }
        return (o * t, c), factors

    def gru(h, x_t):
        by_x, by_h = x_t @ kernel + bias, h @ recurrent
        z = jax.nn.sigmoid(by_x[:units] + by_h[:units])
        r = jax.nn.sigmoid(by_x[units : 2 * units] + by_h[units : 2 * units])
        inner = by_h[2 * units :]
        n = jnp.tanh(by_x[2 * units :] + r * inner)
        slope = (1 - z) * (1 - n * n)
        factors = {"z": (h - n) * z * (1 - z), "r": slope * inner * r * (1 - r), "n": slope, "nr": slope * r, "keep": z}
        return z * h + (1 - z) * n, factors

    def simple_rnn(h, x_t):
        h = jnp.tanh(x_t @ kernel + h @ recurrent + bias)
        return h, {"h": 1 - h * h}

    body, first = {"LSTM": (lstm, (zero, zero)), "GRU": (gru, zero), "SimpleRNN": (simple_rnn, zero)}[case.kind]
    return jax.lax.scan(body, first, x)[1], kernel, recurrent


def operators(case, factors, weights):
    """Blocks of one step's Jacobian with respect to what `weights` stand for: [H, n] each, by h or by c and o."""
    parts = jnp.split(weights.T, {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[case.kind])
    rows = lambda name: factors[name][:, None]
    if case.kind == "LSTM":
        i, f, g, o = parts
        return rows("i") * i + rows("f") * f + rows("g") * g, rows("o") * o
    if case.kind == "SimpleRNN":
        return rows("h") * parts[0], None
    return None, None


def gru_operators(factors, kernel, recurrent):
    kz, kr, kn = jnp.split(kernel.T, 3)
    uz, ur, un = jnp.split(recurrent.T, 3)
    rows = lambda name: factors[name][:, None]
    by_h = rows("z") * uz + rows("r") * ur + rows("nr") * un + jnp.diag(factors["keep"])
    return by_h, rows("z") * kz + rows("r") * kr + rows("n") * kn


def make_push(case, x):
    """advance(t, G_h, G_c) and inject(t), the input Jacobian of step t."""
    factors, kernel, recurrent = jax.jit(lambda x: gates_of(case, x))(x)
    at = lambda t: jax.tree.map(lambda values: values[t], factors)

    def advance(t, h, c):
        own = at(t)
        if case.kind == "LSTM":
            to_c, to_o = operators(case, own, recurrent)
            both = jnp.concatenate([to_o, to_c]) @ h
            c = both[case.units :] + own["keep"][:, None] * c
            return both[: case.units] + own["through"][:, None] * c, c
        operator = operators(case, own, recurrent)[0] if case.kind == "SimpleRNN" else gru_operators(own, kernel, recurrent)[0]
        return operator @ h, c

    def inject(t):
        own = at(t)
        if case.kind == "LSTM":
            to_c, to_o = operators(case, own, kernel)
            return to_o + own["through"][:, None] * to_c, to_c
        b = operators(case, own, kernel)[0] if case.kind == "SimpleRNN" else gru_operators(own, kernel, recurrent)[1]
        return b, jnp.zeros((0, b.shape[1]))

    return advance, inject


def make_tile(case, x, by_state):
    """Squared norms [T, w] of h (and of c, or of the whole state) for w sources from `start`."""
    steps = x.shape[0]
    size = case.state_size
    width = size if by_state else case.input_dim
    sources = max(1, min(COLUMNS // width, steps))
    advance, inject_input = make_push(case, x)
    split = lambda matrix: (matrix[: case.units], matrix[case.units :])
    inject = (lambda t: split(jnp.eye(size, dtype=jnp.float32))) if by_state else inject_input
    columns = sources * width

    @jax.jit
    def run(start):
        def body(t, carry):
            h, c, norms = carry
            h, c = advance(t, h, c)
            offset = (t - start) * width

            def add(both):
                new_h, new_c = inject(t)
                return (
                    jax.lax.dynamic_update_slice(both[0], new_h, (0, offset)),
                    jax.lax.dynamic_update_slice(both[1], new_c, (0, offset)),
                )

            h, c = jax.lax.cond(t - start < sources, add, lambda both: both, (h, c))
            own = jnp.stack([jnp.sum(h * h, axis=0), jnp.sum(c * c, axis=0)])
            return h, c, norms.at[t].set(own.reshape(2, sources, width).sum(axis=2))

        zero = (
            jnp.zeros((case.units, columns)),
            jnp.zeros((size - case.units, columns)),
            jnp.zeros((steps, 2, sources)),
        )
        return jax.lax.fori_loop(start, steps, body, zero)[2]

    return run, sources


def work(case):
    x = jnp.asarray(case.x[0])
    if case.mode in ("pairs", "state pairs"):
        run, sources = make_tile(case, x, case.mode == "state pairs")
        starts = list(range(0, case.steps, sources))
        order = [starts[at] for at in spread(len(starts))]
        costs = [float(case.steps - start) for start in order]
        law = "a tile costs as many steps as there are to the end"
        return Work(order, lambda start: jax.block_until_ready(run(start)), law, costs)
    if case.mode == "final" and case.kind == "LSTM":
        run = make_final(case, x)
        return Work([0], lambda _: jax.block_until_ready(run()), "whole, h only")
    return None


def make_final(case, x):
    """dh_T/dx_s for all s by pulling H rows: one product a step gives the rows before it and the block of the input."""
    factors, kernel, recurrent = jax.jit(lambda x: gates_of(case, x))(x)
    units = case.units

    @jax.jit
    def run():
        def body(rows, own):
            r_h, r_c = rows
            to_c = r_c + r_h * own["through"]
            ui, uf, ug, uo = jnp.split(recurrent.T, 4)
            ki, kf, kg, ko = jnp.split(kernel.T, 4)
            by = lambda i, f, g: own["i"][:, None] * i + own["f"][:, None] * f + own["g"][:, None] * g
            right = jnp.concatenate(
                [jnp.concatenate([uo, ko], axis=1), jnp.concatenate([by(ui, uf, ug), by(ki, kf, kg)], axis=1)]
            )
            both = jnp.concatenate([r_h * own["o"], to_c], axis=1) @ right
            return (both[:, :units], to_c * own["keep"]), both[:, units:]

        first = (jnp.eye(units, dtype=jnp.float32), jnp.zeros((units, units)))
        return jax.lax.scan(body, first, factors, reverse=True)[1]

    return run


def check(case):
    """ln of the norms of dh_T/dx_s over the first steps, by this peer's own recursion."""
    x = jnp.asarray(case.x[0][:CHECK_STEPS])
    if case.mode == "final":
        blocks = np.asarray(make_final(case, x)(), np.float64)
        return np.log(np.sqrt((blocks**2).sum(axis=(1, 2)))).tolist()
    run, sources = make_tile(case, x, False)
    squares = np.concatenate([np.asarray(run(s), np.float64)[-1, 0] for s in range(0, CHECK_STEPS, sources)])
    return np.log(np.sqrt(squares[:CHECK_STEPS])).tolist()
