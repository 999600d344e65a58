"""TensorFlow as its users write it: a GradientTape with its parallel Jacobian over hand-written cells."""

import numpy as np
import tensorflow as tf

from peers import CHECK_STEPS, Work

# Targets of all pairs that are measured, from the middle outwards: a target's cost grows with the steps before it.
TARGET_SHARES = (0.5, 0.25, 0.75, 1.0)


def make_step(case):
    cell = case.cells[0]
    kernel, recurrent = tf.constant(cell["kernel"]), tf.constant(cell["recurrent"])
    bias = tf.zeros(kernel.shape[1]) if cell["bias"] is None else tf.constant(cell["bias"])

    def simple_rnn(state, x):
        return (tf.tanh(x @ kernel + state[0] @ recurrent + bias),)

    def lstm(state, x):
        h, c = state
        i, f, g, o = tf.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    def gru(state, x):
        h = state[0]
        xz, xr, xn = tf.split(x @ kernel + bias, 3, axis=1)
        hz, hr, hn = tf.split(h @ recurrent, 3, axis=1)
        z, r = tf.sigmoid(xz + hz), tf.sigmoid(xr + hr)
        return (z * h + (1 - z) * tf.tanh(xn + r * hn),)

    return {"SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru}[case.kind]


def zero_state(case):
    zero = tf.zeros([1, case.units])
    return (zero, zero) if case.has_cell else (zero,)


def make_final(case):
    """dh_T/dx [H, T, D] of a run of any length, in a graph."""
    step = make_step(case)

    @tf.function(input_signature=[tf.TensorSpec([None, case.input_dim], tf.float32)])
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            state = zero_state(case)
            for t in tf.range(tf.shape(x)[0]):
                state = step(state, tf.reshape(x[t], [1, case.input_dim]))
            h = state[0][0]
        return tape.jacobian(h, x)

    return run


def work(case):
    x = tf.constant(case.x[0])
    if case.mode == "views":
        return Work([0], lambda _: eager(case, x), "whole, eager")
    if case.mode == "final":
        run = make_final(case)
        return Work([0], lambda _: run(x).numpy(), "whole, h only")
    if case.mode == "pairs":
        run = make_final(case)
        norms = lambda t: tf.reduce_sum(run(x[:t]) ** 2, axis=[0, 2]).numpy()
        targets = sorted({max(1, round(share * case.steps)) for share in TARGET_SHARES}, key=lambda t: abs(t - case.steps / 2))
        rest = [t for t in range(1, case.steps + 1) if t not in targets]
        order = targets + rest
        return Work(order, norms, "a target costs as many steps as there are before it", [float(t) for t in order])
    if case.mode == "diagonal":
        return diagonal(case)
    return None


def eager(case, x):
    step = make_step(case)
    with tf.GradientTape() as tape:
        tape.watch(x)
        state, all_states = zero_state(case), []
        for t in range(case.steps):
            state = step(state, tf.reshape(x[t], [1, case.input_dim]))
            all_states.append(tf.concat(state, axis=1))
        stacked = tf.concat(all_states, axis=0)
    return tape.jacobian(stacked, x).numpy()


def diagonal(case):
    step = make_step(case)

    @tf.function
    def run(x):
        state = zero_state(case)
        before = [tf.TensorArray(tf.float32, case.steps, element_shape=[case.units]) for _ in state]
        for t in tf.range(case.steps):
            before = [array.write(t, part[0]) for array, part in zip(before, state)]
            state = step(state, tf.reshape(x[t], [1, case.input_dim]))
        states = tuple(array.stack() for array in before)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            after = step(states, x)
        return [tape.batch_jacobian(part, x) for part in after]

    return Work(
        units=list(range(case.batch)),
        run=lambda b: [part.numpy() for part in run(tf.constant(case.x[b]))],
        law="every sequence costs the same",
    )


def check(case):
    """ln of the norms of dh_T/dx_s over the first steps, by this peer's own derivative."""
    jacobian = make_final(case)(tf.constant(case.x[0][:CHECK_STEPS])).numpy().astype(np.float64)
    return np.log(np.sqrt((jacobian**2).sum(axis=(0, 2)))).tolist()
