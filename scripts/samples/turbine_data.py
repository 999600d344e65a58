"""Thirty days of a wind turbine's sensors, every fifteen minutes: made up, but with what such records have.

Daily and weather-long load, slow drift of a bearing, correlated and independent noise, a gust front, a stop for maintenance
after which the drift is gone. Values are per unit or deviations from the set point, so that a model takes them as they are.
"""

import numpy as np

STEPS_PER_DAY = 96
DAYS = 30
COLUMNS = [
    "load_pu",
    "rotor_speed_pu",
    "wind_deviation",
    "pitch_rad",
    "gearbox_heat",
    "bearing_heat",
    "bearing_vibration",
    "oil_pressure_dev",
]


def smooth(noise, memory):
    """An autoregression of unit variance with that many steps of memory."""
    keep = np.exp(-1 / memory)
    out = np.empty_like(noise)
    level = 0.0
    for t, value in enumerate(noise):
        level = keep * level + np.sqrt(1 - keep * keep) * value
        out[t] = level
    return out


def turbine(rng, steps=DAYS * STEPS_PER_DAY, event=None):
    """Readings [steps, 8]; `event` is the step of the stop, None for none."""
    t = np.arange(steps)
    day = np.sin(2 * np.pi * (t / STEPS_PER_DAY - 0.3 + rng.uniform(-0.1, 0.1)))
    weather = smooth(rng.normal(size=steps), 2.5 * STEPS_PER_DAY)
    gust = smooth(rng.normal(size=steps), 3)
    wind = 0.5 * day + 0.9 * weather + 0.45 * gust
    load = 1.1 / (1 + np.exp(-1.4 * (wind + 0.2)))
    running = np.ones(steps)
    drift = np.clip((t - 0.25 * steps) / steps, 0, None) * 2.4
    if event is not None:
        stop = slice(event, min(steps, event + 14))
        running[stop] = 0
        load[stop] = 0
        drift[event:] = 0.05
    speed = running * (0.55 + 0.45 * np.tanh(wind + 0.4)) + 0.02 * rng.normal(size=steps)
    gearbox = smooth(1.6 * (load - 0.6), 8) * 3 + 0.1 * rng.normal(size=steps)
    bearing = 0.6 * gearbox + drift + 0.12 * rng.normal(size=steps)
    vibration = running * (0.5 + 0.5 * load + 0.5 * drift) + 0.15 * np.abs(rng.normal(size=steps))
    pitch = np.clip(0.5 * (wind - 0.8), 0, 1.2) + 0.03 * rng.normal(size=steps)
    pressure = -0.4 * gearbox + 0.2 * smooth(rng.normal(size=steps), 40) + 0.1 * rng.normal(size=steps) - 1.2 * (1 - running)
    return np.stack([load, speed, wind, pitch, gearbox, bearing, vibration, pressure], axis=1)


def write_csv(path, table):
    rows = [",".join(COLUMNS)] + [",".join(f"{value:.3f}" for value in row) for row in table]
    path.write_text("\n".join(rows) + "\n")
