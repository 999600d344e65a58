"""Reads what Tempograd accepted, with the frameworks' own readers, and compares every tensor bit for bit.

Usage: compare.py FOLDER   (FOLDER/accepted.jsonl as test/readers/fuzz/write-mutants.ts writes it)

A tensor counts as equal when the framework finds a tensor of the same numbers (as float64) in the file, whatever it calls
it, or finds the parts that normalization makes it of. A file that the framework itself refuses, or whose framework is not
installed, is counted apart: nothing can be said.
"""

import collections
import hashlib
import io
import json
import pathlib
import sys
import zipfile

import numpy as np


class NotComparable(Exception):
    """The file holds its tensors in another form than the model has them."""


def hash_of(values):
    numbers = np.array(values, dtype="<f8")
    numbers[np.isnan(numbers)] = np.nan
    return hashlib.sha256(np.ascontiguousarray(numbers).tobytes()).hexdigest()


def arrays_of_hdf5(source):
    import h5py

    found = []

    def visit(_, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            found.append(item[()])

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return found


def arrays_of_keras(path):
    if path.suffix == ".json":
        return [a for file in path.parent.glob("*.h5") for a in arrays_of_hdf5(file)]
    if zipfile.is_zipfile(path):
        found = []
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".h5"):
                    found += arrays_of_hdf5(io.BytesIO(archive.read(name)))
                if name.endswith(".npz"):
                    found += arrays_of_npz(io.BytesIO(archive.read(name)))
        return found
    return arrays_of_hdf5(path)


def arrays_of_npz(source):
    with np.load(source, allow_pickle=False) as arrays:
        return [arrays[name] for name in arrays.files]


def arrays_of_torch(path):
    import torch

    found = []

    def as_double(tensor):
        return tensor.detach().to(torch.float64).numpy()

    def walk(value):
        if isinstance(value, torch.Tensor):
            found.append(as_double(value))
        elif isinstance(value, dict):
            for part in value.values():
                walk(part)
            tensors = {str(name): part for name, part in value.items() if isinstance(part, torch.Tensor)}
            found.extend(weights_made_of({name: as_double(tensor) for name, tensor in tensors.items()}))
        elif isinstance(value, (list, tuple)):
            for part in value:
                walk(part)

    walk(torch.load(path, map_location="cpu", weights_only=True))
    return found


def weights_made_of(tensors):
    """Weights that normalization keeps in parts: W / (u W v), and g v / |v|, added up one number after the other."""
    made = []
    for name, tensor in tensors.items():
        stem, _, last = name.rpartition(".") if ".parametrizations." in f".{name}" else name.rpartition("_")
        if last in ("orig", "original"):
            ends = ("_u", "_v") if last == "orig" else (".0._u", ".0._v")
            u, v = (tensors.get(stem + end) for end in ends)
            if u is not None and v is not None and tensor.shape == (*u.shape, *v.shape) and tensor.ndim == 2:
                with np.errstate(all="ignore"):
                    made.append(tensor / total(u * total(tensor * v)))
        if last in ("g", "original0"):
            v = tensors.get(stem + ("_v" if last == "g" else ".original1"))
            if v is not None and v.ndim == 2:
                made.append(normalized(tensor, v))
    return [weight for weight in made if weight is not None]


def normalized(g, v):
    """PyTorch keeps a size for each row, for each column, or one for all."""
    with np.errstate(all="ignore"):
        if g.shape == (v.shape[0], 1):
            return v * (g / np.sqrt(total(v * v))[:, None])
        if g.shape == (1, v.shape[1]):
            return v * (g / np.sqrt(total((v * v).T)))
        return v * (g / np.sqrt(total((v * v).ravel()))) if g.shape == () else None


def total(values):
    """Sums along the last axis; numpy's own sum adds in pairs, which rounds otherwise."""
    start = np.zeros((*values.shape[:-1], 1))
    return np.add.accumulate(np.concatenate([start, values], axis=-1), axis=-1)[..., -1]


def arrays_of_safetensors(path):
    import torch
    from safetensors.torch import load_file

    files = [path]
    if path.suffix == ".json":
        index = json.loads(path.read_text())
        files = [path.parent / name for name in set(index["weight_map"].values())]
    tensors = {name: t.to(torch.float64).numpy() for file in files for name, t in load_file(file).items()}
    return [*tensors.values(), *weights_made_of(tensors)]


# Operators by which exporters put weights together.
COMPUTED_BY_ONNX = set(
    "Identity Cast Transpose Reshape Unsqueeze Squeeze Concat Slice Split Gather Shape ConstantOfShape Expand "
    "DequantizeLinear Neg Add Sub Mul Div".split()
)
MOST_COMPUTED = 10_000_000


def arrays_of_onnx(path):
    import onnx
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    found = []

    def dense(tensor):
        values, places = (numpy_helper.to_array(part, str(path.parent)) for part in (tensor.values, tensor.indices))
        array = np.zeros(tuple(tensor.dims), values.dtype)
        array[tuple(places.T) if places.ndim == 2 else np.unravel_index(places, array.shape)] = values
        return array

    def walk(nodes, around):
        known = dict(around)
        for node in nodes:
            for attribute in node.attribute:
                value = None
                if attribute.HasField("t"):
                    value = numpy_helper.to_array(attribute.t, str(path.parent))
                if attribute.HasField("sparse_tensor"):
                    value = dense(attribute.sparse_tensor)
                if value is not None:
                    found.append(value)
                    if node.op_type == "Constant":
                        known[node.output[0]] = value
        compute(nodes, known)
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    kept = kept_states(node, attribute.g, known) if node.op_type == "Loop" else {}
                    walk_graph(attribute.g, {**known, **kept})

    def kept_states(loop, body, known):
        """States that the body of a Loop gives back as it got them are, at each step, what the loop was given."""
        sources = {node.output[0]: node.input[0] for node in body.node if node.op_type == "Identity"}
        kept = {}
        for outside, inside, given_back in zip(loop.input[2:], body.input[2:], body.output[1:]):
            name = given_back.name
            for _ in range(len(sources)):
                name = sources.get(name, name)
            if outside in known and name == inside.name:
                kept[inside.name] = known[outside]
        return kept

    def compute(nodes, known):
        """What nodes give on constants alone is a tensor of the file as well: onnx's own evaluator says its numbers."""
        waiting = [node for node in nodes if node.op_type in COMPUTED_BY_ONNX and node.domain in ("", "ai.onnx")]
        while waiting:
            ready = [node for node in waiting if all(name in known for name in node.input if name)]
            if not ready:
                return
            waiting = [node for node in waiting if node not in ready]
            for node in ready:
                try:
                    results = evaluate(node, known)
                except Exception:  # an operator that does not fit its inputs gives nothing
                    continue
                known.update(zip(node.output, results))
                found.extend(result for result in results if isinstance(result, np.ndarray))

    def evaluate(node, known):
        feeds = {name: known[name] for name in node.input if name}
        sizes = feeds.get(node.input[-1]) if node.op_type in ("ConstantOfShape", "Expand") else None
        if sizes is not None and np.prod(sizes.astype(np.float64)) > MOST_COMPUTED:
            return []
        inputs = [helper.make_tensor_value_info(name, 1, None) for name in feeds]
        outputs = [helper.make_tensor_value_info(name, 1, None) for name in node.output if name]
        graph = helper.make_graph([node], "one", inputs, outputs)
        one = helper.make_model(graph, opset_imports=model.opset_import)
        return ReferenceEvaluator(one).run(None, feeds)

    def walk_graph(graph, around):
        known = dict(around)
        for tensor in graph.initializer:
            known[tensor.name] = numpy_helper.to_array(tensor, str(path.parent))
            found.append(known[tensor.name])
        for tensor in graph.sparse_initializer:
            known[tensor.values.name] = dense(tensor)
            found.append(known[tensor.values.name])
        walk(graph.node, known)

    model = onnx.load(path, load_external_data=False)
    walk_graph(model.graph, {})
    for function in model.functions:
        walk(function.node, {})
    return [array for array in found if array.dtype.kind in "fiu"]


def arrays_of_tfjs(path):
    """The layout is TensorFlow.js's own; there is no other reader of it in Python, so it is read by hand."""
    found = []
    model = json.loads(path.read_text())
    if model.get("format") == "graph-model":
        raise NotComparable  # its biases are put together from constants of several nodes
    for group in model["weightsManifest"]:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        offset = 0
        for weight in group["weights"]:
            stored = weight.get("quantization", {}).get("dtype", weight["dtype"])
            count = int(np.prod(weight["shape"], dtype=np.int64))
            kind = np.dtype({"bool": "u1"}.get(stored, stored))
            values = np.frombuffer(data, kind, count, offset).reshape(weight["shape"])
            offset += count * kind.itemsize
            if "scale" in weight.get("quantization", {}):
                quantization = weight["quantization"]
                values = (values * quantization["scale"] + quantization["min"]).astype(np.float32)
            found.append(values)
    return found


def arrays_of_bundle(path):
    import tensorflow as tf

    prefix = path.parent / "variables" / "variables" if path.name == "saved_model.pb" else path.with_suffix("")
    reader = tf.train.load_checkpoint(str(prefix))
    kinds = reader.get_variable_to_dtype_map()
    return [reader.get_tensor(name) for name, kind in kinds.items() if kind.is_floating or kind.is_integer]


READERS = {
    "keras": arrays_of_keras,
    "h5": arrays_of_keras,
    "torch": arrays_of_torch,
    "safetensors": arrays_of_safetensors,
    "npz": arrays_of_npz,
    "onnx": arrays_of_onnx,
    "tfjs": arrays_of_tfjs,
    "saved-model": arrays_of_bundle,
    "checkpoint": arrays_of_bundle,
}


def main():
    folder = pathlib.Path(sys.argv[1])
    counts = collections.defaultdict(collections.Counter)
    missing = {}
    different = []
    for line in (folder / "accepted.jsonl").read_text().splitlines():
        case = json.loads(line)
        count = counts[case["format"]]
        count["accepted"] += 1
        try:
            known = {hash_of(array) for array in READERS[case["format"]](folder / case["path"])}
        except ImportError as error:
            missing[case["format"]] = str(error)
            count["no framework"] += 1
            continue
        except NotComparable:
            count["in another form"] += 1
            continue
        except Exception:  # whatever a framework throws on a damaged file
            count["refused by the framework"] += 1
            continue
        wrong = [tensor["name"] for tensor in case["tensors"] if tensor["sha256"] not in known]
        count["different" if wrong else "equal"] += 1
        different += [(case["format"], case["seed"], name) for name in wrong]
    for format_name, count in counts.items():
        print(f"{format_name}: " + ", ".join(f"{number} {what}" for what, number in count.items()))
    for format_name, reason in missing.items():
        print(f"{format_name}: not compared: {reason}")
    for format_name, seed, name in different:
        print(f"DIFFERENT: {format_name} mutant {seed}, tensor {name}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
