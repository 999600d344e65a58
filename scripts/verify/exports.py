"""Reads the exports of one run with numpy and the csv module, and holds them against each other.

Usage: exports.py RUN.npz CSV_FOLDER SUMMARY.json
"""

import csv
import json
import pathlib
import sys

import numpy as np


def main():
    arrays = np.load(sys.argv[1], allow_pickle=False)
    folder = pathlib.Path(sys.argv[2])
    summary = json.loads(pathlib.Path(sys.argv[3]).read_text())
    steps, batch = summary["run"]["steps"], summary["run"]["batch"]
    failures = 0
    for name in arrays.files:
        array = arrays[name]
        if array.shape[:2] != (batch, steps):
            print(f"{name}: shape {array.shape} in a run of {batch} x {steps}")
            failures += 1
        path = folder / f"{name}.csv"
        # A norm has one row for each direction beside its axes, which the array does not have.
        if not path.exists() or name.startswith("lognorm_"):
            continue
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        axes = [column for column in rows[0] if column not in ("value", "scale")]
        values = np.array([float(row["value"]) for row in rows], dtype=array.dtype)
        order = np.array([[int(row[axis]) for axis in axes] for row in rows])
        back = np.empty(array.shape, array.dtype)
        back[tuple(order.T)] = values
        if not np.array_equal(back, array, equal_nan=True):
            print(f"{name}: the CSV does not give back the numbers of the NPZ")
            failures += 1
        else:
            print(f"{name} {array.dtype} {array.shape}: the same in NPZ and CSV")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
