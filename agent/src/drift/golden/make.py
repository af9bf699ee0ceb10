"""Golden numbers of drift/distance.rs: what Evidently says of seeded columns.

    python3 -m venv VENV && VENV/bin/pip install evidently==0.7.23 "pandas<3"
    VENV/bin/python agent/src/drift/golden/make.py > agent/src/drift/golden/evidently.json

Every number comes from Evidently's own report (`ValueDrift`). Values are integers of 1/1024.
"""

import json
import sys
import warnings

import evidently
import numpy as np
import pandas as pd
import scipy
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

warnings.filterwarnings("ignore")
METHODS = {
    "ks": "num", "chisquare": "cat", "z": "cat", "wasserstein": "num", "jensenshannon": "num", "psi": "num",
}


def ask(reference, recent, method, kind):
    """One figure of Evidently's report; None where it says 'not a number' or refuses."""
    definition = (
        DataDefinition(numerical_columns=["x"]) if kind == "num" else DataDefinition(categorical_columns=["x"])
    )
    frames = [Dataset.from_pandas(pd.DataFrame({"x": v}), data_definition=definition) for v in (recent, reference)]
    report = Report([ValueDrift(column="x", method=method)]).run(*frames)
    value = float(report.dict()["metrics"][0]["value"])
    return None if np.isnan(value) else value


def columns():
    """Name, reference, recent; to be rounded."""
    rng = np.random.default_rng(20261122)
    normal, uniform = rng.normal, rng.uniform
    yield "normal, small", normal(0, 1, 37), normal(0.4, 1, 23)
    yield "normal, a usual look", normal(0, 2.4, 500), normal(0.3, 2.4, 200)
    yield "normal, equal sizes", normal(0, 1, 150), normal(0.1, 1.3, 150)
    yield "normal, no common divisor", normal(5, 1, 997), normal(5.05, 1, 211)
    yield "normal, large", normal(0, 1, 2500), normal(0.05, 1, 1100)
    yield "normal, larger recent", normal(0, 1, 300), normal(0, 1, 1700)
    yield "far apart", normal(0, 1, 400), normal(30, 1, 100)
    yield "the same values", *(2 * [normal(0, 1, 120)])
    yield "heavy tail", rng.lognormal(-4, 1.5, 800), rng.lognormal(-3.8, 1.5, 200)
    yield "scores", rng.beta(0.3, 9, 1500), rng.beta(0.35, 9, 400)
    yield "ties", np.round(normal(0, 1, 600), 1), np.round(normal(0.2, 1, 180), 1)
    yield "mostly zero", np.where(uniform(size=500) < 0.95, 0, uniform(size=500)), np.where(
        uniform(size=200) < 0.9, 0, uniform(size=200)
    )
    yield "constant", np.full(90, 3.0), np.full(40, 3.0)
    yield "constant, then another", np.full(90, 3.0), np.full(40, 3.5)
    yield "constant, then not", np.full(500, 0.0), normal(0, 1, 200)
    yield "twenty values", rng.integers(0, 20, 700).astype(float), rng.integers(0, 21, 230).astype(float)
    yield "weights", rng.choice([40, 50, 70, 100, 137.5], 500), rng.choice([50, 70, 100, 137.5], 200)
    yield "classes", rng.choice([0.0, 1, 2], 500, p=[0.5, 0.3, 0.2]), rng.choice([0.0, 1, 2], 200, p=[0.4, 0.3, 0.3])
    yield "classes, large", rng.choice([0.0, 1, 2], 3000), rng.choice([0.0, 1, 2], 1000, p=[0.3, 0.3, 0.4])
    yield "two classes", rng.choice([0.0, 1], 300, p=[0.7, 0.3]), rng.choice([0.0, 1], 150, p=[0.6, 0.4])
    yield "a class never seen", rng.choice([0.0, 1], 300), rng.choice([0.0, 1, 2], 150)
    yield "a class gone", rng.choice([0.0, 1, 2], 300), rng.choice([0.0, 1], 150)
    holes = normal(0, 1, (2, 400))
    holes[0, ::7], holes[1, ::3], holes[1, 5], holes[0, 6] = np.nan, np.nan, np.inf, -np.inf
    yield "holes", holes[0], holes[1, :160]
    edge = np.linspace(0, 1, 129)
    yield "values on the bins' edges", edge, edge[::2]
    yield "empty bins of a large sample", np.r_[np.round(normal(0, 1, 9999), 1), 9], np.r_[np.round(normal(0, 1, 4999), 1), -9]


def rounded(values):
    """In steps of 1/1024: exact in binary, and written as integers."""
    return np.round(np.asarray(values, float) * 1024) / 1024


def written(values):
    """Ascending, equal ones as [value, how many]; JSON has no 'not a number'."""
    runs = []
    for value, count in zip(*np.unique(values[np.isfinite(values)] * 1024, return_counts=True)):
        runs.append(int(value) if count == 1 else [int(value), int(count)])
    return runs + [str(value) for value in values[~np.isfinite(values)]]


cases = []
for name, reference, recent in columns():
    reference, recent = rounded(reference), rounded(recent)
    finite = np.r_[reference[np.isfinite(reference)], recent[np.isfinite(recent)]]
    values = len(np.unique(finite))
    figures = {}
    for method, kind in METHODS.items():
        if (kind == "cat" and values > 20) or (method == "z" and values > 2):
            continue
        figures[method] = ask(reference, recent, method, kind)
    print(name, figures, file=sys.stderr)
    cases.append(
        {"name": name, "reference": written(reference), "recent": written(recent), "figures": figures}
    )
versions = {m.__name__: m.__version__ for m in (evidently, scipy, np, pd)}
print('{"versions":' + json.dumps(versions) + ',"cases":[')
print(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
print("]}")
