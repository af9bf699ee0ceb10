"""Losses of a Siamese network, written plainly pair by pair in f64, with PyTorch's own gradients: `contrastive.json`.

    python contrastive.py

Supervised contrastive loss: P. Khosla et al., 2020, equation 2. Asymmetric Contrastive Loss: V. Vito, L. Y. Stefanus, 2022,
with means over the coils of the anchor's class and over those of the other. The margin loss: R. Hadsell, S. Chopra, Y. LeCun,
2006, equation 4, label 0 for a pair of one class; pairs of two of class 0, of one each and of two of class 1 weigh 1 : 2 : 1.
"""

import itertools
import json
import pathlib

import torch

HERE = pathlib.Path(__file__).resolve().parent


def supervised(x, labels, temperature, eta):
    """The mean over anchors; an anchor that is alone of its class has no first term and counts for none."""
    z = [v / v.norm() for v in x]
    n = len(labels)
    together, apart, counted = 0.0, 0.0, 0
    for i in range(n):
        others = [k for k in range(n) if k != i]
        total = sum(torch.exp(z[i] @ z[k] / temperature) for k in others)
        p = {k: torch.exp(z[i] @ z[k] / temperature) / total for k in others}
        alike = [k for k in others if labels[k] == labels[i]]
        unlike = [k for k in others if labels[k] != labels[i]]
        if alike:
            together, counted = together - sum(torch.log(p[k]) for k in alike) / len(alike), counted + 1
        if unlike and eta:
            apart = apart - sum(torch.log(1 - p[k]) for k in unlike) / len(unlike)
    return together / counted + eta * apart / n


def margin(x, labels, m):
    """The weighted sum over pairs."""
    shares, costs = {0: 0.25, 1: 0.5, 2: 0.25}, {0: [], 1: [], 2: []}
    for i, j in itertools.combinations(range(len(labels)), 2):
        y, d = int(labels[i] != labels[j]), (x[i] - x[j]).norm()
        costs[labels[i] + labels[j]].append((1 - y) * d**2 / 2 + y * torch.clamp(m - d, min=0) ** 2 / 2)
    total = sum(shares[k] for k in costs if costs[k])
    return sum(shares[k] / total * sum(costs[k]) / len(costs[k]) for k in costs if costs[k])


def main():
    generator = torch.Generator().manual_seed(1)
    cases = []
    for rows, width, labels in [(5, 3, [0, 1, 0, 0, 1]), (7, 4, [0, 1, 1, 0, 1, 0, 0]), (4, 2, [1, 0, 0, 0])]:
        x = torch.randn(rows, width, generator=generator, dtype=torch.float64, requires_grad=True)
        losses = [("supervised", {"temperature": t, "eta": e}) for t, e in [(0.5, 0.0), (0.1, 0.0), (0.5, 2.0)]]
        for kind, settings in losses + [("margin", {"margin": 2.0})]:
            value = supervised(x, labels, **settings) if kind == "supervised" else margin(x, labels, settings["margin"])
            (gradient,) = torch.autograd.grad(value, x)
            cases.append({"kind": kind, **settings, "rows": rows, "width": width, "labels": labels, "loss": value.item(),
                          "embeddings": x.flatten().tolist(), "gradient": gradient.flatten().tolist()})
    text = json.dumps(cases, separators=(",", ":")).replace("},{", "},\n{") + "\n"
    (HERE / "contrastive.json").write_text(text)


if __name__ == "__main__":
    main()
