"""The peers of `tempograd bench --peers`: the same Jacobians by automatic differentiation, on the same weights.

    python bench/peers.py --list
    python bench/peers.py --peer NAME --case FOLDER [--seconds LIMIT]

FOLDER is written by `tempograd bench`: case.json and the arrays of model and input. A peer that would take longer than
LIMIT does a stated part of the case and is carried to the whole by its cost law; it is then marked as extrapolated.
One JSON object is printed. A peer is a module `peer_*.py` beside this file; each runs in a process of its own.
"""

import argparse
import importlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

# name -> (module beside this file, package it needs)
PEERS = {
    "jax": ("peer_jax", "jax"),
    "jax-expert": ("peer_jax_expert", "jax"),
    "torch": ("peer_torch", "torch"),
    "tensorflow": ("peer_tensorflow", "tensorflow"),
    "numpy": ("peer_numpy", "numpy"),
}
CHECK_STEPS = 8


@dataclass
class Case:
    """Sizes and arrays; `x` is [B, T, D], `cells` hold kernel [D, G*H], recurrent [H, G*H] and bias or None."""

    kind: str
    mode: str
    steps: int
    units: int
    input_dim: int
    batch: int
    layers: int
    directions: int
    x: np.ndarray
    cells: list = field(default_factory=list)

    @property
    def has_cell(self):
        return self.kind == "LSTM"

    @property
    def state_size(self):
        return self.units * (2 if self.has_cell else 1)


@dataclass
class Work:
    """Units of work with their relative cost, done one after another; `law` says how the cost is carried on."""

    units: list
    run: object
    law: str
    costs: list = None


def load_case(folder):
    """The case in a folder."""
    folder = Path(folder)
    about = json.loads((folder / "case.json").read_text())

    def load(name):
        path = folder / f"{name}.npy"
        return np.load(path) if path.exists() else None

    cells = [
        {"kernel": load(f"kernel{at}"), "recurrent": load(f"recurrent{at}"), "bias": load(f"bias{at}")}
        for at in range(about.pop("cells"))
    ]
    return Case(**about, x=load("x"), cells=cells)


def measure(work, limit):
    """Time of all units, the first of them warmed up and its first, cold time apart."""
    costs = work.costs or [1.0] * len(work.units)
    start = time.perf_counter()
    work.run(work.units[0])
    cold = time.perf_counter() - start
    start = time.perf_counter()
    done = 0.0
    count = 0
    for unit, cost in zip(work.units, costs):
        work.run(unit)
        done += cost
        count += 1
        if time.perf_counter() - start > limit:
            break
    elapsed = time.perf_counter() - start
    share = done / sum(costs)
    return {
        "seconds": elapsed / share,
        "coldSeconds": cold,
        "measuredSeconds": elapsed,
        "isExtrapolated": count < len(work.units),
        "share": share,
        "law": work.law,
    }


def spread(count):
    """The numbers below count in an order that covers them evenly from the start."""
    order, seen = [], set()
    stride = count
    while stride >= 1:
        for at in range(stride // 2 if stride > 1 else 0, count, stride):
            if at not in seen:
                seen.add(at)
                order.append(at)
        stride //= 2
    return order + [at for at in range(count) if at not in seen]


def list_peers():
    present, absent = {}, {}
    for name, (_, package) in PEERS.items():
        try:
            present[name] = getattr(importlib.import_module(package), "__version__", "")
        except Exception as error:  # a package that is there but does not load is as absent as one that is not
            absent[name] = f"{package} does not load: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return {"present": present, "absent": absent}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--peer", choices=sorted(PEERS))
    parser.add_argument("--case")
    parser.add_argument("--seconds", type=float, default=180.0)
    asked = parser.parse_args()
    if asked.list:
        print(json.dumps(list_peers()))
        return 0
    if asked.peer is None or asked.case is None:
        parser.error("--peer and --case, or --list")
    case = load_case(asked.case)
    module, package = PEERS[asked.peer]
    peer = importlib.import_module(module)
    work = peer.work(case)
    if work is None:
        print(json.dumps({"peer": asked.peer, "why": f"{asked.peer} has no way for {case.mode} of {case.kind}"}))
        return 0
    check = peer.check(case) if case.layers == 0 and hasattr(peer, "check") else None
    result = measure(work, asked.seconds)
    version = getattr(importlib.import_module(package), "__version__", "")
    print(json.dumps({"peer": asked.peer, "version": version, **result, "check": check}))
    return 0


if __name__ == "__main__":
    # Peers import this file by its name; it must be the same module, not a second copy.
    sys.modules["peers"] = sys.modules["__main__"]
    sys.exit(main())
