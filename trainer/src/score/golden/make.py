"""Golden numbers of trainer/src/score, by SciPy, scikit-learn, statsmodels and (DeLong's test) R's pROC.

    python3 -m venv venv && venv/bin/pip install scipy scikit-learn statsmodels
    apt-get install r-cran-proc
    venv/bin/python trainer/src/score/golden/make.py

writes golden.json beside itself; its "versions" say what made it.
"""

import csv
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import scipy
import sklearn
import statsmodels.api
from scipy import stats
from scipy.special import logit
from scipy.stats._resampling import _bca_interval
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, precision_recall_curve, roc_auc_score, roc_curve
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels
from statsmodels.stats.multitest import multipletests

HERE = pathlib.Path(__file__).resolve().parent


def auc(ok, nok):
    return roc_auc_score(np.r_[np.zeros(len(ok)), np.ones(len(nok))], np.r_[ok, nok])


def coils(rng, ok, nok, apart=1.0):
    """Labels and scores to one decimal (so that some tie), in mixed order."""
    labels = rng.permutation(np.r_[np.zeros(ok, int), np.ones(nok, int)])
    return labels, np.round(rng.normal(apart * labels, 1.0), 1)


def days(rng, count, each):
    """Days of `each` coils, that differ in how much is NOK and in level."""
    day = np.repeat(np.arange(count), each)
    labels = (rng.random(count * each) < rng.choice([0.2, 0.5, 0.8], count)[day]).astype(int)
    return day, labels, np.round(rng.normal(labels + rng.normal(0, 0.5, count)[day], 1.0), 1)


def of_days(day, labels, scores):
    """The area of whole days, for scipy.stats.bootstrap."""
    rows = [np.flatnonzero(day == d) for d in range(day.max() + 1)]

    def statistic(picked):
        at = np.concatenate([rows[int(d)] for d in picked])
        return roc_auc_score(labels[at], scores[at])

    return statistic


def without_each(samples, statistic):
    """Jackknife values, sample by sample."""
    return [
        [statistic(*samples[:k], np.delete(sample, i), *samples[k + 1 :]) for i in range(len(sample))]
        for k, sample in enumerate(samples)
    ]


def bca():
    rng = np.random.default_rng(1)
    labels, scores = coils(rng, 70, 25)
    day, day_labels, day_scores = days(rng, 15, 8)
    cases = [
        ("mean", (rng.exponential(size=60),), np.mean, 0.95),
        ("area by coil", (scores[labels == 1], scores[labels == 0]), lambda nok, ok: auc(ok, nok), 0.95),
        ("area near 1", (np.round(rng.normal(3, 1, 20), 1), np.round(rng.normal(0, 1, 50), 1)), lambda nok, ok: auc(ok, nok), 0.9),
        ("area by day", (np.arange(15.0),), of_days(day, day_labels, day_scores), 0.95),
    ]
    for name, samples, statistic, level in cases:
        found = stats.bootstrap(
            samples, statistic, vectorized=False, n_resamples=399, confidence_level=level, method="BCa", rng=rng
        )
        replicates = found.bootstrap_distribution
        estimate = statistic(*samples)
        values = without_each(samples, statistic)
        # SciPy's own acceleration, with its own jackknife.
        acceleration = np.ravel(_bca_interval(
            samples, lambda *x, axis: vectorised(statistic, x), axis=-1, alpha=(1 - level) / 2, theta_hat_b=replicates, batch=None, xp=np
        )[2])[0]
        yield {
            "name": name,
            "estimate": estimate,
            "replicates": list(replicates),
            "jackknife": values,
            "level": level,
            "low": found.confidence_interval.low,
            "high": found.confidence_interval.high,
            "bias": stats.norm.ppf(stats.percentileofscore(replicates, estimate, kind="mean") / 100),
            "acceleration": acceleration,
        }


def vectorised(statistic, samples):
    """`statistic` over leading axes, which SciPy has already broadcast."""
    shape = np.broadcast_shapes(*[s.shape[:-1] for s in samples])
    samples = [np.broadcast_to(s, shape + s.shape[-1:]) for s in samples]
    return np.array([statistic(*[s[i] for s in samples]) for i in np.ndindex(shape)]).reshape(shape)


def acceleration_of(values):
    """Efron and Tibshirani 1993, equation 14.15, for several samples."""
    influences = [(len(v) - 1) * (np.mean(v) - np.array(v)) / len(v) for v in values]
    return sum((i**3).sum() for i in influences) / (6 * sum((i**2).sum() for i in influences) ** 1.5)


def jackknife():
    rng = np.random.default_rng(2)
    labels, scores = coils(rng, 40, 12)
    values = without_each((scores[labels == 1], scores[labels == 0]), lambda nok, ok: auc(ok, nok))
    yield {"nok": labels, "scores": scores, "values": values, "acceleration": acceleration_of(values)}
    day, labels, scores = days(rng, 9, 7)
    values = without_each((np.arange(9.0),), of_days(day, labels, scores))
    yield {"nok": labels, "scores": scores, "day": day, "values": values, "acceleration": acceleration_of(values)}


def normal():
    for z in [-8.0, -3.5, -1.959963984540054, -0.5, 0.0, 0.1, 1.0, 2.5, 4.0, 5.5]:
        yield {"z": z, "cdf": stats.norm.cdf(z), "two_sided": 2 * stats.norm.sf(abs(z))}


def permutation():
    rng = np.random.default_rng(3)

    def exact(first, second, statistic):
        return stats.permutation_test(
            (first, second), statistic, permutation_type="samples", vectorized=False, n_resamples=np.inf, alternative="two-sided"
        ).pvalue

    for n in (6, 11):
        first, second = np.round(rng.normal(0.6, 1, n), 2), np.round(rng.normal(0, 1, n), 2)
        p = exact(first, second, lambda a, b: np.mean(a) - np.mean(b))
        yield {"metric": "mean", "nok": [0] * n, "first": first, "second": second, "difference": np.mean(first) - np.mean(second), "p": p}
    labels, first = coils(rng, 7, 5, 1.5)
    second = np.round(rng.normal(0.3 * labels, 1.0), 1)
    area = lambda a, b: roc_auc_score(labels, a) - roc_auc_score(labels, b)
    yield {"metric": "area", "nok": labels, "first": first, "second": second, "difference": area(first, second), "p": exact(first, second, area)}
    day, labels, first = days(rng, 10, 4)
    second = np.round(rng.normal(0.2 * labels, 1.0), 1)
    area = lambda a, b: roc_auc_score(labels, a) - roc_auc_score(labels, b)

    # Days as the observations: d stands for the first model's scores of day d, 100 + d for the second's.
    def by_day(a, b):
        scores = lambda ids: np.where(np.asarray(ids)[day] < 100, first, second)
        return area(scores(a), scores(b))

    p = exact(np.arange(10.0), 100 + np.arange(10.0), by_day)
    yield {"metric": "area", "nok": labels, "day": day, "first": first, "second": second, "difference": area(first, second), "p": p}


def mcnemar():
    for a, b in [(1, 5), (0, 7), (12, 30), (9, 9), (40, 25), (3, 0), (150, 90), (1200, 1301)]:
        p = mcnemar_of_statsmodels([[0, a], [b, 0]], exact=True).pvalue
        assert abs(p - stats.binomtest(a, a + b, 0.5).pvalue) < 1e-12
        half = stats.binom(a + b, 0.5)
        yield {"only_first": a, "only_second": b, "p": p, "mid_p": min(1, 2 * half.cdf(min(a, b)) - half.pmf(min(a, b)))}


def delong():
    """By pROC; of the aSAH data (N. Turck and others, Intensive Care Medicine 36 (2010), in pROC) the ranks, which decide."""
    rng = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, ok, nok in [("few", 14, 8), ("some ties", 60, 40), ("rare", 150, 8)]:
            labels, first = coils(rng, ok, nok, 1.2)
            rows = zip(labels, first, np.round(0.6 * first + rng.normal(0.3 * labels, 0.8), 1))
            with open(folder / f"{name}.csv", "w", newline="") as file:
                csv.writer(file).writerows([("nok", "first", "second"), *rows])
        subprocess.run(["Rscript", HERE / "delong.R", folder], check=True)
        keys = ["first_auc", "second_auc", "first_variance", "second_variance", "covariance", "z", "p", "low", "high", "first_low", "first_high"]
        for file in sorted(folder.glob("*.csv")):
            with open(file) as rows:
                rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(rows)]
            values = map(float, file.with_suffix(".out").read_text().split())
            VERSIONS["R"] = (folder / "versions").read_text().strip()
            yield {"name": file.stem, **{k: [row[k] for row in rows] for k in rows[0]}, **dict(zip(keys, values, strict=True))}


def corrected_t():
    rng = np.random.default_rng(5)
    for count, ratio, level in [(2, 0.25, 0.95), (10, 1 / 9, 0.95), (50, 0.25, 0.95), (50, 0.25, 0.99), (100, 1 / 9, 0.9)]:
        first, second = rng.normal(0.9, 0.02, count), rng.normal(0.89, 0.02, count)
        plain = stats.ttest_rel(first, second)
        interval = plain.confidence_interval(level)
        differences = first - second
        common = {"differences": differences, "level": level, "df": count - 1}
        yield {**common, "test_over_train": 0.0, "t": plain.statistic, "p": plain.pvalue, "low": interval.low, "high": interval.high}
        # Nadeau and Bengio 2003.
        student = stats.t(count - 1)
        error = np.sqrt((1 / count + ratio) * differences.var(ddof=1))
        t = differences.mean() / error
        low, high = differences.mean() + np.array(student.interval(level)) * error
        yield {**common, "test_over_train": ratio, "t": t, "p": 2 * student.sf(abs(t)), "low": low, "high": high}


def holm():
    for p in [[0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.001, 0.9, 0.013], [0.5]]:
        yield {"p": p, "adjusted": multipletests(p, method="holm")[1]}


def calibration():
    rng = np.random.default_rng(6)
    for count, sure, digits in [(200, 1.6, 12), (333, 0.7, 2), (1000, 1.0, 12)]:
        odds = rng.normal(-1, 1.5, count)
        labels = (rng.random(count) < 1 / (1 + np.exp(-odds))).astype(int)
        p = np.round(1 / (1 + np.exp(-sure * odds - 0.3)), digits).clip(0.005, 0.995)
        case = {"nok": labels, "p_nok": p, "brier": brier_score_loss(labels, p)}
        for name, bins, strategy in [("width", 10, "uniform"), ("mass", 7, "quantile")]:
            shares, means = calibration_curve(labels, p, n_bins=bins, strategy=strategy)
            # Coils of each bin, by the edges that scikit-learn uses.
            at = np.linspace(0, 1, bins + 1)
            edges = at if strategy == "uniform" else np.percentile(p, 100 * at)
            weights = np.bincount(np.searchsorted(edges[1:-1], p), minlength=bins)
            weights = weights[weights > 0]
            case[name] = [shares, means]
            case[f"{name}_error"] = np.sum(weights * abs(shares - means)) / count
        binomial = statsmodels.api.families.Binomial()
        fit = statsmodels.api.GLM(labels, np.c_[np.ones(count), logit(p)], family=binomial).fit(tol=1e-14)
        large = statsmodels.api.GLM(labels, np.ones(count), family=binomial, offset=logit(p)).fit(tol=1e-14)
        yield {**case, "intercept": fit.params[0], "slope": fit.params[1], "in_the_large": large.params[0]}


def curves():
    rng = np.random.default_rng(7)
    for ok, nok, apart in [(30, 12, 1.0), (150, 20, 2.0), (60, 60, 0.3)]:
        labels, scores = coils(rng, ok, nok, apart)
        false_alarms, found, thresholds = roc_curve(labels, scores, drop_intermediate=False)
        precision, recall, cuts = precision_recall_curve(labels, scores)
        pc = np.linspace(0, 1, 21)[:, None]
        yield {
            "nok": labels,
            "scores": scores,
            # The first threshold is infinite, where nothing is called; the last point of the second curve is made up.
            "roc": [false_alarms, found, np.r_[0.0, thresholds[1:]]],
            "pr": [recall[:-1][::-1], precision[:-1][::-1], cuts[::-1]],
            "envelope": ((1 - found) * pc + false_alarms * (1 - pc)).min(axis=1),
            "least_cost": (10 * 0.03 * (1 - found) + 0.97 * false_alarms).min(),
        }


VERSIONS = {m.__name__: m.__version__ for m in (np, scipy, sklearn, statsmodels)}
PARTS = [normal, bca, jackknife, permutation, mcnemar, delong, corrected_t, holm, calibration, curves]


def plain(value):
    """What JSON holds, of numpy's types."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def main():
    golden = {part.__name__: list(part()) for part in PARTS}
    lines = [json.dumps("versions") + ": " + json.dumps(VERSIONS)]
    for name, cases in golden.items():
        rows = ",\n".join(json.dumps(case, default=plain) for case in cases)
        lines.append(f"{json.dumps(name)}: [\n{rows}\n]")
    (HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
