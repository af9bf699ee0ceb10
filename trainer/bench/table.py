"""Prints the JSON lines of `trainer/bench/run` as one table: the best layout of PyTorch, the least and the middle of all rounds."""

import json
import statistics
import sys

ENGINES = ("ours", "pytorch", "candle")
TITLES = {"ours": "ours", "pytorch": "PyTorch", "candle": "candle"}


def best(lines):
    """What all rounds of an engine come to; PyTorch in whichever way was faster."""
    ways = {}
    for line in lines:
        ways.setdefault(line["note"], []).append(line)
    found = [
        {"least": min(w["least_ms"] for w in way), "median": statistics.median(w["median_ms"] for w in way),
         "processor": min(w["processor_ms"] for w in way), "peak": max(w["peak_mib"] for w in way),
         "above": max(w["peak_mib"] - w["base_mib"] for w in way), "note": note}
        for note, way in ways.items()
    ]
    return min(found, key=lambda f: f["least"], default=None)


def main():
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    if not lines:
        raise SystemExit("table: nothing was measured")
    print(f"A training step (forward, loss, backward, AdamW), batch {lines[0]['batch']}, {lines[0]['threads']} threads.")
    print("ms: least (middle). Peak memory in MiB: of the process (above what it held before the network was built).\n")
    row = "{:20}" + "{:>19}" * 3 + "{:>9}{:>9}" + "{:>15}" * 3
    head = [f"{TITLES[e]} ms" for e in ENGINES] + ["ratio", "middle"] + [f"{TITLES[e]} MiB" for e in ENGINES]
    print(row.format("workload", *head))
    notes = {}
    for workload in dict.fromkeys(line["workload"] for line in lines):
        of = {e: best([x for x in lines if (x["workload"], x["engine"]) == (workload, e)]) for e in ENGINES}
        times = [f"{o['least']:.1f} ({o['median']:.1f})" if o else "-" for o in of.values()]
        memory = [f"{o['peak']:.0f} ({o['above']:.0f})" if o else "-" for o in of.values()]
        (ours, torch) = (of["ours"], of["pytorch"])
        ratio = [f"{ours[k] / torch[k]:.2f}" if ours and torch else "-" for k in ("least", "median")]
        print(row.format(workload, *times, *ratio, *memory))
        for engine, o in of.items():
            if o and o["note"]:
                notes.setdefault((engine, o["note"]), []).append(workload)
    print("\nratio: ours / PyTorch, least and middle.")
    for (engine, note), workloads in notes.items():
        print(f"{TITLES[engine]}, {', '.join(workloads)}: {note}.")


if __name__ == "__main__":
    main()
