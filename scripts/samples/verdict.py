"""The verdict of one state, from the log norms of the Jacobian of its last value: the rule of docs/method, "The verdict, defined", in float64.

An implementation of its own, so that samples.json is a witness and not an echo of the program.
"""

import math

import numpy as np

LOG_DELTA = math.log(1e-3)


def line_fit(lag, value):
    """(a, beta, covariance) of value = a + beta lag by least squares, Newey-West with floor(4 (n/100)^(2/9)) lags."""
    n = len(lag)
    design = np.stack([np.ones(n), lag], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ value
    scores = design * (value - design @ coefficients)[:, None]
    meat = scores.T @ scores
    reach = math.floor(4 * (n / 100) ** (2 / 9))
    for k in range(1, reach + 1):
        cross = scores[k:].T @ scores[:-k]
        meat += (1 - k / (reach + 1)) * (cross + cross.T)
    return coefficients, inverse @ meat @ inverse


def verdict(log_norms, span=None):
    """The verdict of a batch of sequences: `log_norms` is a list of [T] in source step order."""
    steps = len(log_norms[0])
    span = span or max(steps, 100)
    changes, slopes, change_variances, slope_variances = [], [], [], []
    for norms in log_norms:
        lags = norms[::-1]
        first = math.ceil(steps / 10)
        lag = np.arange(first, steps, dtype=float)
        (a, beta), covariance = line_fit(lag, lags[first:])
        changes.append(a + beta * span - lags[0])
        slopes.append(beta)
        gradient = np.array([1.0, span])
        change_variances.append(gradient @ covariance @ gradient)
        slope_variances.append(covariance[1, 1])

    def interval(values, variances):
        count = len(values)
        between = np.var(values, ddof=1) if count > 1 else 0.0
        error = math.sqrt(between / count + np.mean(variances) / count)
        middle = float(np.mean(values))
        return middle, middle - 1.96 * error, middle + 1.96 * error

    change, low, high = interval(changes, change_variances)
    slope, slope_low, slope_high = interval(slopes, slope_variances)
    label = "undetermined"
    if high < LOG_DELTA:
        label = "vanishing"
    elif low > -LOG_DELTA:
        label = "exploding"
    elif low >= LOG_DELTA and high <= -LOG_DELTA:
        label = "carried"
    return {
        "verdict": label,
        "change": round(change, 4),
        "changeInterval": [round(low, 4), round(high, 4)],
        "slope": float(f"{slope:.5g}"),
        "slopeInterval": [float(f"{slope_low:.5g}"), float(f"{slope_high:.5g}")],
    }
