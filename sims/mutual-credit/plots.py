"""Draws the plots of docs/economy.md from what `icn simulate economy` wrote.

    icn simulate economy --csv runs.csv --json > report.json
    python plots.py --report report.json --runs runs.csv --out plots
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import pandas as pd

# The same bytes from the same figures, and text that stays text.
plt.rcParams.update({"svg.hashsalt": "icn", "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
                     "grid.alpha": 0.3, "figure.constrained_layout.use": True})

COLOURS = {"reproduced": "#2a7a3b", "in_part": "#b8860b", "refuted": "#b22222"}
DEGREES = {"degree-2": 2, "degree-4": 4, "sparse": 6, "degree-10": 10, "baseline": 20, "degree-40": 40}
FAILURES = [
    ("hoarding", "volume", ["baseline", "hoarding", "hoarding-demurrage"]),
    ("free riders", "lost", ["baseline", "riders", "riders-frozen", "riders-dynamic"]),
    ("cascade", "lost", ["baseline", "cascade", "cascade-dynamic"]),
    ("broken trust", "pace", ["baseline", "trust-crisis", "trust-crisis-demurrage"]),
    ("newcomers", "newcomer_take", ["newcomers", "newcomers-ramp"]),
]


def load(report_path, runs_path):
    """Reads a report and the table of its runs."""
    return json.loads(Path(report_path).read_text(encoding="utf-8")), pd.read_csv(runs_path)


def interval(values):
    """Returns the mean and half of its 95 % interval."""
    return values.mean(), 1.959964 * values.std(ddof=1) / len(values) ** 0.5


def claims(report):
    """Shows each claimed change (cross) beside the one that was found (point with its 95 % interval)."""
    judged = [one for one in report["claims"] if "level" not in one["claim"]["expects"]]
    figure, axis = plt.subplots(figsize=(8, 0.27 * len(judged) + 1))
    for place, one in enumerate(reversed(judged)):
        found, colour = one["found"], COLOURS[one["verdict"]]
        axis.plot([found["low"], found["high"]], [place, place], color=colour, lw=3)
        axis.plot(found["mean"], place, "o", color=colour, ms=4)
        expects = one["claim"]["expects"]
        if isinstance(expects, dict) and "change" in expects:
            axis.plot(expects["change"], place, "x", color="black", ms=6)
    axis.set_yticks(range(len(judged)), [one["claim"]["text"] for one in reversed(judged)], fontsize=7)
    axis.axvline(0, color="grey", lw=1)
    axis.set_xlabel("change (cross: claimed; green: reproduced, amber: in part, red: refuted)", fontsize=7)
    return figure


def months(report):
    """Shows what was paid in each month, with the 95 % interval of the mean."""
    figure, axis = plt.subplots(figsize=(7, 4))
    by_name = {one["name"]: one for one in report["scenarios"]}
    for name in ["baseline", "dynamic", "demurrage", "hoarding", "trust-crisis", "spenders", "spenders-dynamic"]:
        series = by_name[name]["months"]["volume"]
        at = range(1, len(series) + 1)
        line, = axis.plot(at, [one["mean"] for one in series], label=name)
        axis.fill_between(at, [one["low"] for one in series], [one["high"] for one in series],
                          color=line.get_color(), alpha=0.2, lw=0)
    axis.set(xlabel="month", ylabel="paid, whole units", ylim=(0, None))
    axis.legend(fontsize=7, ncol=2)
    return figure


def density(runs):
    """Shows trade, hoarding and one-way debt over the number of acquaintances."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3))
    for axis, (measure, label) in zip(axes, [("volume", "paid, for each member and month"),
                                             ("hoarders", "hoarders, share of members"),
                                             ("takers", "one-way debtors, share of members")]):
        points = [(degree, *interval(runs[runs.scenario == name][measure])) for name, degree in DEGREES.items()]
        axis.errorbar(*zip(*[(degree, mean) for degree, mean, _ in points]), yerr=[half for *_, half in points],
                      marker="o", ms=3, capsize=2)
        axis.set(xscale="log", xlabel="acquaintances of each", title=label, ylim=(0, None))
        axis.set_xticks(list(DEGREES.values()), [str(degree) for degree in DEGREES.values()])
        axis.minorticks_off()
    return figure


def failures(runs):
    """Shows each way of failing without and with what is meant to help."""
    figure, axes = plt.subplots(1, len(FAILURES), figsize=(11, 3))
    for axis, (title, measure, names) in zip(axes, FAILURES):
        estimates = [interval(runs[runs.scenario == name][measure]) for name in names]
        axis.bar(range(len(names)), [mean for mean, _ in estimates], yerr=[half for _, half in estimates], capsize=3,
                 color=["#888888", "#b22222", "#2a7a3b", "#3b6fb6"][:len(names)] if names[0] == "baseline"
                 else ["#b22222", "#2a7a3b"])
        axis.set_xticks(range(len(names)), [name.replace("-", "\n") for name in names], fontsize=6)
        axis.set_title(f"{title}: {measure.replace('_', ' ')}", fontsize=8)
    return figure


def claims_table(report):
    """Writes the claims as a Markdown table."""
    words = {"reproduced": "reproduced", "in_part": "in part", "refuted": "**refuted**"}
    lines = ["| claim | claimed | found (95 % interval) | nineteen of twenty single runs | verdict |",
             "|---|---|---|---|---|"]
    for one in report["claims"]:
        claim, found, expects = one["claim"], one["found"], one["claim"]["expects"]
        is_level = isinstance(expects, dict) and "level" in expects
        if is_level and claim["measure"] == "payments":
            number = "{:,.0f}".format
        elif is_level and claim["measure"] == "gini":
            number = "{:.2f}".format
        else:
            sign = "" if is_level else "+"
            number = lambda value, sign=sign: f"{value * 100:{sign}.1f} %"
        if isinstance(expects, str):
            claimed = expects
        else:
            (kind, value), = expects.items()
            claimed = f"within {value * 100:.0f} %" if kind == "unchanged" else number(value)
        lines.append(f"| {claim['text']} ({claim['source'].removeprefix('seed 002, ')}) | {claimed} "
                     f"| {number(found['mean'])} ({number(found['low'])} to {number(found['high'])}) "
                     f"| {number(found['run_low'])} to {number(found['run_high'])} | {words[one['verdict']]} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", default="report.json")
    parser.add_argument("--runs", default="runs.csv")
    parser.add_argument("--out", default="plots")
    parser.add_argument("--table", action="store_true", help="print the claims as Markdown and end")
    arguments = parser.parse_args()
    report, runs = load(arguments.report, arguments.runs)
    if arguments.table:
        print(claims_table(report))
        return
    out = Path(arguments.out)
    out.mkdir(exist_ok=True)
    for name, figure in [("claims", claims(report)), ("months", months(report)), ("density", density(runs)),
                         ("failures", failures(runs))]:
        figure.savefig(out / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
