"""A run in parts on Ray, put together again; see docs/beyond-one-machine.md.

    python ray-parts.py --parts 16 --folder /shared/run -- model.keras --mode final,pairs --steps 8000

FOLDER must be one that every node of the cluster sees. What stands behind the two dashes are the arguments of
`tempograd analyze`. RAY_ADDRESS names a cluster; without it Ray starts on this machine.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys

import ray


def call(command):
    """Runs a command; what it says on standard error is the reason where it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} ended with {ended.returncode}:\n{ended.stderr}")
    return ended.stdout


@ray.remote(max_retries=2)
def compute_part(tempograd, arguments, index, count, path):
    """One part. It appears when it is complete, so that what was computed before a node was lost is not done again."""
    if not pathlib.Path(path).exists():
        call([*tempograd, "analyze", *arguments, "--shard", f"{index}/{count}", "--out", path])
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--cpus", type=int, default=1, help="processors of one part")
    parser.add_argument("--tempograd", default="tempograd", help="the command, as every node has it")
    parser.add_argument("arguments", nargs="+", help="MODEL and options of tempograd analyze")
    options = parser.parse_args()
    folder = options.folder.resolve()
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    tempograd = shlex.split(options.tempograd)

    ray.init(include_dashboard=False, log_to_driver=False)
    part = compute_part.options(num_cpus=options.cpus)
    waiting = [
        part.remote(tempograd, options.arguments, index, options.parts, str(folder / "parts" / f"{index}.npz"))
        for index in range(1, options.parts + 1)
    ]
    done = []
    while waiting:
        [ready], waiting = ray.wait(waiting, num_returns=1)
        done.append(ray.get(ready))
        print(f"{len(done)} of {options.parts} parts", file=sys.stderr)
    ray.shutdown()
    merged = ["merge", *done, "--out", str(folder / "run.npz"), f"--json={folder / 'run.json'}"]
    print(call([*tempograd, *merged]), end="")


if __name__ == "__main__":
    main()
