"""Makes resources/samples: four small models, one table of sensor data, samples.json. `python make-samples.py` (Keras 3, seeded).

Every model reads the eight columns of turbine-sensors.csv. Three are trained for a short while on made-up turbine records, the
exploding one is what a recurrent kernel with too large a gain gives. The script measures each verdict with its own float64
Jacobians and stops when one is not what the sample's name says.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

import numpy as np
from frameworks import Framework

OUT = Path(__file__).resolve().parents[2] / "resources" / "samples"
STEPS = 200
SEED = 2026


def scaled(f, x, table):
    """Batch normalization that holds the records' mean and variance, as after a long training."""
    layer = f.layers.BatchNormalization(name="sensor_scaling")
    y = layer(x)
    layer.set_weights([np.ones(8), np.zeros(8), table.mean(axis=0), table.var(axis=0)])
    layer.trainable = False
    return y


def bearing_forecast(f, table):
    """Vanishing: an LSTM as Keras initialises it, trained to give the reading an hour ahead; the last hours are all it needs."""
    x = f.input((None, 8), name="sensors")
    y = f.layers.Dense(16, activation="tanh", name="sensor_mix")(scaled(f, x, table))
    y = f.layers.LSTM(32, name="recent_load")(y)
    y = f.layers.Dense(16, activation="relu", name="forecast_hidden")(y)
    return f.k.Model(x, f.layers.Dense(2, name="bearing_in_one_hour")(y), name="bearing_forecast")


def maintenance_memory(f, table):
    """Carrying: chrono-initialised forget gates, a calm and open output gate, trained to say how long ago and how strong the last stop was."""
    x = f.input((None, 8), name="sensors")
    y = f.layers.Dense(16, activation="tanh", name="sensor_mix")(scaled(f, x, table))
    y = f.layers.LayerNormalization(name="mix_scaling")(y)
    memory = f.layers.LSTM(32, unit_forget_bias=False, name="service_memory")
    y = memory(y)
    model = f.k.Model(x, f.layers.Dense(1, name="wear_since_service")(y), name="service_memory_model")
    kernel, recurrent, bias = memory.get_weights()
    forget = np.log(np.random.default_rng(SEED).uniform(20, 3999, size=32))
    bias[0:32], bias[32:64], bias[96:128] = -forget, forget, 1.0
    kernel[:, 96:128] *= 0.25
    memory.set_weights([kernel, 0.4 * recurrent, bias])
    return model


def state_classifier(f, table):
    """A GRU with reset-after, the Keras default, that names the turbine's state."""
    x = f.input((None, 8), name="sensors")
    y = f.layers.Dense(12, activation="relu", name="sensor_mix")(scaled(f, x, table))
    y = f.layers.GRU(32, reset_after=True, return_sequences=True, name="running_state")(y)
    y = f.layers.Dropout(0.2, name="regularize")(y)
    return f.k.Model(x, f.layers.Dense(3, activation="softmax", name="state")(y), name="state_classifier")


def unstable_controller(f, table):
    """Exploding: tanh units whose recurrent kernel has twice the gain at which memory turns into chaos."""
    x = f.input((None, 8), name="sensors")
    y = f.layers.LayerNormalization(name="sensor_scaling")(x)
    y = f.layers.Dense(8, activation="tanh", name="sensor_mix")(y)
    memory = f.layers.SimpleRNN(40, return_sequences=True, name="pitch_loop")
    y = memory(y)
    model = f.k.Model(x, f.layers.Dense(1, name="pitch_command")(y), name="unstable_controller")
    rng = np.random.default_rng(SEED)
    memory.set_weights([0.12 * rng.normal(size=(8, 40)), 2.4 * rng.normal(size=(40, 40)) / np.sqrt(40), 0.05 * rng.normal(size=40)])
    return model


def windows(rng, count, steps, target):
    """Records [count, steps, 8] and what `target` makes of each."""
    from turbine_data import turbine

    inputs, targets = [], []
    for _ in range(count):
        event = int(rng.integers(5, steps - 30)) if rng.random() < 0.8 else None
        record = turbine(rng, steps + 4, event)
        inputs.append(record[:steps])
        targets.append(target(record, steps, event))
    return np.asarray(inputs, np.float32), np.asarray(targets, np.float32)


def ahead(record, steps, event):
    return record[steps + 3, 5:7]


def since_service(record, steps, event):
    return [1.0 if event is None else (steps - event) / steps]


def state(record, steps, event):
    load = record[:steps, 0]
    return np.stack([load < 0.2, (load >= 0.2) & (load < 0.8), load >= 0.8], axis=1)


SAMPLES = [
    (
        "vanishing-lstm.keras",
        bearing_forecast,
        ("mse", ahead, 6),
        "Forecast that forgets",
        "An LSTM that predicts bearing heat and vibration one hour ahead; hidden and cell state have lost an input after some hours.",
        "recent_load",
    ),
    (
        "carrying-lstm.keras",
        maintenance_memory,
        ("mse", since_service, 8),
        "Memory of the last service",
        "An LSTM with chrono-initialised forget gates that keeps a maintenance stop in its cell over the whole record.",
        "service_memory",
    ),
    (
        "reset-after-gru.keras",
        state_classifier,
        ("categorical_crossentropy", state, 6),
        "State of the turbine",
        "A GRU with reset-after, the Keras default, that tells idling, part load and full load apart.",
        "running_state",
    ),
    (
        "exploding-rnn.keras",
        unstable_controller,
        None,
        "Control loop out of hand",
        "A SimpleRNN whose recurrent kernel amplifies every disturbance; its states stay bounded, its gradients do not.",
        "pitch_loop",
    ),
]
EXPECTED = {
    "vanishing-lstm.keras": {"hidden": "vanishing", "cell": "vanishing"},
    "carrying-lstm.keras": {"hidden": "carried", "cell": "carried"},
    "reset-after-gru.keras": {"hidden": "vanishing"},
    "exploding-rnn.keras": {"hidden": "exploding"},
}


def trained(framework, build, task, table):
    framework.k.utils.set_random_seed(SEED)
    model = build(framework, table)
    if task is None:
        return model
    loss, target, epochs = task
    inputs, targets = windows(np.random.default_rng(SEED), 256, 96, target)
    model.compile(optimizer=framework.k.optimizers.Adam(2e-3, clipnorm=1.0), loss=loss)
    history = model.fit(inputs, targets, batch_size=32, epochs=epochs, shuffle=True, verbose=0).history["loss"]
    print(f"  loss {history[0]:.4f} -> {history[-1]:.4f}")
    plain = build(framework, table)
    plain.set_weights(model.get_weights())
    return plain


def measured(framework, model, layer_name, x):
    """Verdict of each state of the layer for one record x [T, 8]."""
    from cells import final_log_norms
    from layer_states import cells_of, own_cell
    from verdict import verdict

    layer = model.get_layer(layer_name)
    below = framework.k.Model(model.inputs, layer.input)
    features = framework.numpy(below(framework.tensor(x[None].astype(np.float32))))[0].astype(np.float64)
    norms = final_log_norms(own_cell(framework, cells_of(layer)[0]), features)
    return {name: verdict([values]) for name, values in zip(("hidden", "cell"), norms)}


def main():
    from turbine_data import COLUMNS, DAYS, STEPS_PER_DAY, turbine, write_csv

    framework = Framework("keras3")
    OUT.mkdir(parents=True, exist_ok=True)
    table = turbine(np.random.default_rng(SEED), event=21 * STEPS_PER_DAY + 40)
    write_csv(OUT / "turbine-sensors.csv", table)
    table = np.loadtxt(OUT / "turbine-sensors.csv", delimiter=",", skiprows=1)
    draws = [np.random.default_rng(seed).normal(size=(STEPS, 8)) for seed in range(5)]
    listed = []
    for file, build, task, title, description, layer in SAMPLES:
        print(file)
        framework.use_policy("float32")
        model = trained(framework, build, task, table)
        model.save(str(OUT / file))
        over_draws = [measured(framework, model, layer, draw) for draw in draws]
        for name in over_draws[0]:
            assert len({states[name]["verdict"] for states in over_draws}) == 1, (file, name, over_draws)
        results = {"random": over_draws[0], "csv": measured(framework, model, layer, table)}
        for source, states in results.items():
            for name, result in states.items():
                print(f"  {source:7s} {name:7s} {result}")
        for name, wanted in EXPECTED[file].items():
            for source in results:
                assert results[source][name]["verdict"] == wanted, (file, source, name, results[source][name])
        listed.append(
            {"file": file, "title": title, "description": description, "layer": layer, "input": "turbine-sensors.csv", "expected": results}
        )
    facts = {
        "schema": 1,
        "maker": {"script": "scripts/samples/make-samples.py", **framework.versions(), "seed": SEED},
        "data": {
            "file": "turbine-sensors.csv",
            "title": "Sensors of a wind turbine",
            "columns": COLUMNS,
            "description": f"{DAYS} days, every 15 minutes: daily and weather-long load, a drifting bearing, noise, and a stop for service on day 21.",
        },
        "random": {
            "steps": STEPS,
            "batch": 1,
            "note": "standard normal input of numpy's generator, seed 0; seeds 1 to 4 give the same verdicts",
        },
        "samples": listed,
    }
    (OUT / "samples.json").write_text(json.dumps(facts, indent=2) + "\n")
    total = sum(path.stat().st_size for path in OUT.glob("*.keras"))
    assert total < 500_000, total
    print(f"{total} bytes of models, {(OUT / 'turbine-sensors.csv').stat().st_size} bytes of data")


if __name__ == "__main__":
    main()
