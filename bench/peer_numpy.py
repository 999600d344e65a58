"""NumPy by hand: the Lyapunov spectrum with a QR at each step, as scripts that accompany papers do it."""

import numpy as np

from peers import Work


def work(case):
    if case.mode != "spectrum" or case.kind != "LSTM":
        return None
    return Work([0], lambda _: exponents(case), "whole, QR at each step")


def exponents(case):
    cell, units = case.cells[0], case.units
    kernel, recurrent, bias = cell["kernel"], cell["recurrent"], cell["bias"]
    weights = recurrent.T.copy()
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    h = np.zeros(units, np.float32)
    c = np.zeros(units, np.float32)
    tangents = np.eye(2 * units, case.directions, dtype=np.float32)
    logs = np.zeros(case.directions)
    for x in case.x[0]:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before, c = c, f * c + i * g
        t = np.tanh(c)
        h = o * t
        di, df, dg, do = np.split(weights @ tangents[:units], 4)
        column = lambda factor: factor[:, None]
        dc = column(g * i * (1 - i)) * di + column(before * f * (1 - f)) * df + column(i * (1 - g * g)) * dg
        dc += column(f) * tangents[units:]
        dh = column(t * o * (1 - o)) * do + column(o * (1 - t * t)) * dc
        tangents, r = np.linalg.qr(np.concatenate([dh, dc]))
        logs += np.log(np.abs(np.diagonal(r)))
    return logs / case.steps
