"""Compares tract's P(NOK) with ONNX Runtime's, on what `cargo run --example export_probe -- FOLDER` wrote.

python3 -m venv venv && venv/bin/pip install onnx onnxruntime numpy
venv/bin/python trainer/tests/onnxruntime_parity.py FOLDER
Exit code 1 if a file fails the full ONNX checker or a P(NOK) differs by more than the limit.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

LIMITS = {"f32": 1e-4, "int8": 1e-3}


def p_nok(session, feed):
    ok, nok = session.run(["logits"], feed)[0][0].astype(np.float64)
    return 1.0 / (1.0 + np.exp(ok - nok))


def main(folder):
    failed = False
    for case in json.loads((folder / "cases.json").read_text()):
        name, count = case["name"], len(case["p_f32"])
        images = np.fromfile(folder / f"{name}.images", "<f4").reshape(count, 1, *case["image"])
        sides = np.fromfile(folder / f"{name}.sides", "<f4").reshape(count, 1, case["side"])
        for kind, limit in LIMITS.items():
            path = folder / f"{name}.{kind}.onnx"
            onnx.checker.check_model(onnx.load(path), full_check=True)
            domains = {node.domain for node in onnx.load(path).graph.node}
            assert domains == {""}, f"{path}: domains {domains}"
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            off, times = [], []
            for image, side, expected in zip(images, sides, case[f"p_{kind}"]):
                feed = {"image": image} | ({"side": side} if case["side"] else {})
                start = time.perf_counter()
                found = p_nok(session, feed)
                times.append(time.perf_counter() - start)
                off.append(abs(found - expected))
            bad = not max(off) <= limit
            failed |= bad
            print(
                f"{name} {kind}: {count} coils, |P tract - P ONNX Runtime| max {max(off):.2e} mean {np.mean(off):.2e}, "
                f"limit {limit}; ONNX Runtime {1e3 * statistics.median(times):.2f} ms a coil{' FAILED' if bad else ''}"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
