"""Times a training step (forward, loss, backward, AdamW) of one workload in PyTorch, eager.

    steps.py WORKLOAD [--threads N] [--steps N] [--layout contiguous|channels_last] [--optimizer foreach|fused] [--device cuda]
    steps.py WORKLOAD --profile        where the time goes, by operation

One JSON line comes out; `trainer/bench/run` calls this, and shows the faster layout. The fused optimizer was never slower.
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import nets  # noqa: E402

BATCH = 32


def siamese():
    """32 pairs of grey images; the two of a pair are alike or not, by the distance of their embeddings."""
    net = nets.Encoder(1, 64)
    image, same = torch.randn(2 * BATCH, 1, 264, 18), (torch.arange(BATCH) % 2).float()

    def loss(image):
        first, second = net(image).chunk(2)
        return F.binary_cross_entropy_with_logits(1 - (first - second).square().sum(1), same)

    return net, image, loss


def classifier(net, image, *more):
    labels = torch.arange(BATCH) % 2
    return net, image, lambda image: F.cross_entropy(net(image, *more), labels)


WORKLOADS = {
    "siamese": siamese,
    "cnn": lambda: classifier(nets.Cnn(dropout=0.3), torch.randn(BATCH, 3, 264, 18), torch.randn(BATCH, 4)),
    "yolov8s-7": lambda: classifier(nets.YoloCls("s", 2, 256, first=7), torch.randn(BATCH, 256, 17, 2)),
    "yolov8n": lambda: classifier(nets.YoloCls("n", 2), torch.randn(BATCH, 3, 264, 18)),
    "efficientnet-lite0": lambda: classifier(nets.EfficientNetLite(0, 2), torch.randn(BATCH, 3, 264, 18)),
}


def status_mib(field):
    """A number of /proc/self/status, in MiB."""
    for line in open("/proc/self/status", encoding="ascii"):
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--optimizer", choices=["foreach", "fused"], default="fused")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    torch.set_default_device(args.device)
    base = status_mib("VmRSS")
    net, image, loss_of = WORKLOADS[args.workload]()
    if args.layout == "channels_last":
        net, image = net.to(memory_format=torch.channels_last), image.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, **{args.optimizer: True})

    def step():
        optimizer.zero_grad()
        loss = loss_of(image)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step()
    if args.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(args.steps):
                step()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=16, max_name_column_width=40))
        return
    times = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    finished = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    finished()
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = step()
        finished()
        times.append(1e3 * (time.perf_counter() - start))
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = {"base_mib": round(base, 1), "peak_mib": round(status_mib("VmHWM"), 1)}
    if args.device == "cuda":
        memory = {"base_mib": 0.0, "peak_mib": round(torch.cuda.max_memory_reserved() / 2**20, 1)}
    print(json.dumps({
        "workload": args.workload, "engine": "pytorch", "version": torch.__version__, "threads": args.threads,
        "batch": BATCH, "steps": args.steps, "least_ms": round(min(times), 3),
        "median_ms": round(statistics.median(times), 3), "processor_ms": round(1e3 * processor / args.steps, 3),
        "loss": round(loss.item(), 6),
        "note": f"{args.layout}, {args.optimizer}",
    } | memory))


if __name__ == "__main__":
    main()
