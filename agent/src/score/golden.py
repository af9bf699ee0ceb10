"""Golden numbers of agent/src/score, by scikit-learn, SciPy, statsmodels and irrCAC.

    python3 -m venv venv && venv/bin/pip install scikit-learn statsmodels irrCAC
    venv/bin/python agent/src/score/golden.py > agent/src/score/golden.json
"""

import json

import numpy as np
import pandas as pd
from irrCAC.raw import CAC
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, matthews_corrcoef
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from statsmodels.stats.proportion import proportion_confint


def confusions():
    """true NOK, false NOK, false OK, true OK; the last as weights of one coil each."""
    cells = [(2, 1, 2, 15), (24, 29, 6, 941), (0, 0, 3, 97), (3, 97, 0, 0), (1, 1, 1, 1), (5, 0, 0, 9), (0, 5, 9, 0), (150, 3, 40, 199_807)]
    weighted = [(24.0, 29.5, 37.25, 909.25), (0.5, 0.25, 0.125, 1000.0)]
    for case in cells + weighted:
        truth, said = np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0])
        weights = np.array(case, dtype=float)
        yield {
            "cells": [float(x) for x in case],
            "accuracy": accuracy_score(truth, said, sample_weight=weights),
            "balanced_accuracy": balanced_accuracy_score(truth, said, sample_weight=weights),
            "mcc": matthews_corrcoef(truth, said, sample_weight=weights),
        }


def shares():
    for hits, of in [(0, 1), (1, 1), (0, 30), (30, 30), (1, 30), (3, 7), (8, 11), (17, 40), (970, 1000), (2, 5000), (123_456, 200_000)]:
        yield {
            "hits": hits,
            "of": of,
            # method="beta" is Clopper and Pearson's, by SciPy's beta distribution.
            "wilson": proportion_confint(hits, of, 0.05, "wilson"),
            "clopper_pearson": proportion_confint(hits, of, 0.05, "beta"),
        }


def of_irrcac(ratings, which):
    est = getattr(CAC(pd.DataFrame(ratings), weights="identity", digits=15), which)()["est"]
    # Its intervals use Student's t: the standard error is what is compared.
    return {"value": est["coefficient_value"], "se": est["se"]}


def pairs():
    """Coils that both called OK, only the second NOK, only the first NOK, both NOK."""
    for table in [(20, 5, 10, 15), (36, 1, 2, 1), (45, 2, 1, 2), (5, 10, 12, 3), (100, 1, 0, 0), (10, 10, 10, 10)]:
        both = [(0, 0)] * table[0] + [(0, 1)] * table[1] + [(1, 0)] * table[2] + [(1, 1)] * table[3]
        result = cohens_kappa(np.array(table).reshape(2, 2))
        assert abs(result.kappa - cohen_kappa_score(*zip(*both))) < 1e-12
        agreed = (table[0] + table[3]) / sum(table)
        yield {
            "table": table,
            "kappa": result.kappa,
            "se": result.std_kappa,
            "pabak": 2 * agreed - 1,
            "ac1": of_irrcac(np.array(both), "gwet"),
        }


def many():
    """Of each coil, how many of the raters called it NOK."""
    rng = np.random.default_rng(7)
    for raters, coils, spread in [(3, 40, 0.1), (3, 50, 0.03), (4, 30, 0.3), (5, 12, 0.5)]:
        nok = rng.random(coils) < 0.25
        ratings = (rng.random((coils, raters)) < np.where(nok, 1 - spread, spread)[:, None]).astype(int)
        counts = ratings.sum(1)
        fleiss = of_irrcac(ratings, "fleiss")
        kappa = fleiss_kappa(np.stack([raters - counts, counts], 1))
        assert abs(fleiss["value"] - kappa) < 1e-9, (fleiss, kappa)
        yield {"raters": raters, "nok": counts.tolist(), "kappa": kappa, "se": fleiss["se"], "ac1": of_irrcac(ratings, "gwet")}


json.dump(
    {"confusions": list(confusions()), "shares": list(shares()), "pairs": list(pairs()), "many": list(many())},
    __import__("sys").stdout,
    indent=1,
    default=float,
)
print()
