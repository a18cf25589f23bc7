"""The published learning pipeline, timed and judged beside windvane's.

    pip install -r requirements.txt
    python learning.py --trace TRACE.csv --ours bench.json

fits scikit-learn's models on the trace of examples/mo1, runs the authors' simulator with
them, trains PPO of Stable-Baselines3 in it, and prints one table of ratios to the figures
that `make bench TRACE=...` wrote into bench.json, whose peer fields it fills. `make peers`
does both. Figures of one core are in seconds of CPU time, so that what else the machine
does is not counted.
"""

import os

# Read when the library is loaded: threads that wait for others give their core away, and
# do not spin on it, which on a busy machine makes a fit take ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import platform
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import models
import mo1
import simulator

sys.path.append(str(Path(__file__).resolve().parents[1]))
from figures import Figures
from progress import Progress


def system_model(figures, trace, cross_validations):
    """R2 where the configuration was held out, and the times of fits and predictions."""
    first = next(iter(cross_validations))
    kinds = (
        ("boosting", "HistGradientBoosting", models.boosting, cross_validations),
        ("forest", "random forest", lambda seed: models.forest(seed, -1), {first: cross_validations[first]}),  # slow: one seed
    )
    fits = sum(2 * len(np.unique(fold)) for _, _, _, folds in kinds for fold in folds.values())
    with Progress("fits with configurations held out", fits) as p:
        for name, who, make, folds in kinds:
            r2 = [models.held_out_r2(lambda: make(seed), trace, fold, p) for seed, fold in folds.items()]
            for s, service in enumerate(mo1.SERVICES):
                figures.add(f"model_r2_{service}", f"{name}_r2_{service}", np.median([r[s] for r in r2]), "1", len(r2), who)
    with Progress("timed fits of both services", 7) as p:
        took, fitted = models.fit_seconds(lambda: models.boosting(1), trace, 3)
        p.add(3)
        figures.add("model_fit", "boosting_fit", took, "s", 3, "HistGradientBoosting, all cores")
        with threadpool_limits(limits=1):
            took, fitted = models.fit_seconds(lambda: models.boosting(1), trace, 3, time.process_time)
        p.add(3)
        figures.add("model_fit_cpu", "boosting_fit_cpu", took, "s", 3, "HistGradientBoosting, one core")
        figures.add("model_predict", "boosting_predict", models.predict_microseconds(fitted, trace, 3), "us", 3, "HistGradientBoosting, in a batch")
        took, forests = models.fit_seconds(lambda: models.forest(1), trace, 1, time.process_time)
        p.add()
        figures.add("model_fit_cpu", "forest_fit_cpu", took, "s", 1, "random forest, one core")
        figures.add("model_predict", "forest_predict", models.predict_microseconds(forests, trace, 1), "us", 1, "random forest, in a batch")
    return forests


def simulators(figures, forests, table, times=5):
    with Progress("timings of the simulators", 2 * times) as p:
        for ours, name, env, who in (
            ("simulator_model_steps", "model_steps", simulator.with_models(forests), "Gymnasium, forests in step()"),
            ("simulator_table_steps", "table_steps", simulator.with_table(table), "Gymnasium, their table in step()"),
        ):
            rates = []
            for _ in range(times):
                rates.append(simulator.step_rate(env))
                p.add()
            figures.add(ours, name, np.median(rates), "1/s", times, who)


def learner(figures, table, seeds, steps):
    with Progress("steps of PPO", len(seeds) * steps) as p:
        runs = [simulator.train(table, seed, steps, p) for seed in seeds]
    took, seen, unseen = (np.median(column) for column in zip(*runs))
    who = f"Stable-Baselines3, {steps} steps"
    figures.add("ppo_train_seconds", "ppo_train_seconds", took, "s", len(seeds), who)
    figures.add("ppo_steps_per_second", "ppo_steps_per_second", steps / took, "1/s", len(seeds), who)
    figures.add("ppo_seen_ratio", "ppo_seen_ratio", seen, "1", len(seeds), who)
    figures.add("ppo_unseen_ratio", "ppo_unseen_ratio", unseen, "1", len(seeds), who)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", required=True, help="a trace in the form of examples/mo1/trace-sample.csv")
    parser.add_argument("--ours", metavar="BENCH.JSON", help="figures of make bench, whose peer fields are filled")
    parser.add_argument("--splits", metavar="DIR", help="cross-validations to share with windvane; default: drawn here")
    parser.add_argument("--seeds", default="1,2,3", help="of PPO, and of the cross-validations that are drawn here")
    parser.add_argument("--steps", type=int, default=simulator.STEPS, help="of PPO")
    a = parser.parse_args()
    seeds = [int(s) for s in a.seeds.split(",")]
    try:
        trace = mo1.Trace(a.trace)
    except (OSError, ValueError) as err:
        raise SystemExit(f"peers: the trace: {err}") from err
    folds = mo1.read_folds(a.splits, trace) if a.splits else {s: mo1.draw_folds(trace, s) for s in seeds}

    figures = Figures()
    forests = system_model(figures, trace, folds)
    table = mo1.tabulate(forests)
    simulators(figures, forests, table)
    learner(figures, table, seeds, a.steps)
    figures.report(f"learning, {trace.rows} rows, seeds {a.seeds}; Python {platform.python_version()}, {os.cpu_count()} cores",
                   a.ours, f"learning.py --trace {a.trace}")


if __name__ == "__main__":
    main()
