"""Scenario MO1 of Samani and Stadler (CNSM 2022) over their trace, as examples/mo1 has it.

A configuration is (p11, p21, b1, b2), each in fifths from 0 to 5; service 1 is
"information", service 2 "compute". The columns of p and d are crossed in the trace: p21
steers service 1.
"""

import math
import re
from pathlib import Path

import numpy as np

SERVICES = ("information", "compute")
BOUND = np.array([0.035, 0.110])  # seconds
THETA = np.array([0.050, 0.113])  # seconds
STEEPNESS = 200.0  # 1/s
LOADS = np.array([5.0, 10.0, 15.0, 20.0])  # requests/s, of either service
LEVELS = 6
CONFIGURATIONS = LEVELS**4
_LIMITS = list(zip(BOUND.tolist(), THETA.tolist()))


class Trace:
    """features[row] = p11, p21, b1, b2, l1, l2; delay[row] = s1, s2 in seconds, 0 where no
    request was measured; configuration[row]."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            names = f.readline().strip().split(",")
            data = np.loadtxt(f, delimiter=",")
        column = {name: data[:, i] for i, name in enumerate(names)}
        missing = {"p11", "p21", "b1", "b2", "l1", "l2", "d11", "d12", "d21", "d22"} - set(names)
        if missing:
            raise SystemExit(f"peers: {path} has no column {', '.join(sorted(missing))}; want a trace as examples/mo1/trace-sample.csv is")
        self.features = np.column_stack([column[c] for c in ("p11", "p21", "b1", "b2", "l1", "l2")])
        self.delay = np.column_stack([np.maximum(column["d11"], column["d12"]), np.maximum(column["d21"], column["d22"])])
        fifths = np.rint(self.features[:, :4] * [0.05, 0.05, 5, 5]).astype(int)
        self.configuration = fifths @ [216, 36, 6, 1]
        self.rows = len(data)


def read_folds(directory, trace):
    """fold[row] of the cross-validations that `make bench` wrote with BENCH_SPLITS, by seed."""
    seeds = {}
    for path in sorted(Path(directory).glob("seed*-folds.txt")):
        fold = np.loadtxt(path, dtype=int)
        if len(fold) != trace.rows:
            raise SystemExit(f"peers: {path} has {len(fold)} rows, the trace {trace.rows}; make bench with the same TRACE")
        if len(np.unique(np.column_stack([trace.configuration, fold]), axis=0)) > len(np.unique(trace.configuration)):
            raise SystemExit(f"peers: {path} has a configuration in two folds")
        seeds[int(re.match(r"seed(\d+)", path.name)[1])] = fold
    if not seeds:
        raise SystemExit(f"peers: {directory} has no seed1-folds.txt; make bench with BENCH_SPLITS={directory} writes it")
    return seeds


def draw_folds(trace, seed, folds=5):
    """A cross-validation by configuration where there is none to share."""
    order = np.random.default_rng(seed).permutation(CONFIGURATIONS)
    return order[trace.configuration] % folds


def configurations():
    """p11, p21 (percent), b1, b2 of each configuration."""
    index = np.arange(CONFIGURATIONS)
    fifths = np.column_stack([index // 216, index // 36 % 6, index // 6 % 6, index % 6])
    return fifths * [20, 20, 0.2, 0.2]


def tabulate(models):
    """delay[l1][l2][configuration][service] as the models of both services predict it."""
    settings = configurations()
    table = np.empty((len(LOADS), len(LOADS), CONFIGURATIONS, 2))
    for i, l1 in enumerate(LOADS):
        for j, l2 in enumerate(LOADS):
            x = np.column_stack([settings, np.full(CONFIGURATIONS, l1), np.full(CONFIGURATIONS, l2)])
            for s, m in enumerate(models):
                table[i, j, :, s] = m.predict(x)
    return table


def delays(table, l1, l2):
    """Of all configurations at one offered load, linear between the loads of the table."""
    def corners(load):
        at = (load - LOADS[0]) / (LOADS[1] - LOADS[0])
        low = min(int(at), len(LOADS) - 2)
        return low, at - low

    i, u = corners(l1)
    j, v = corners(l2)
    return ((1 - u) * ((1 - v) * table[i, j] + v * table[i, j + 1])
            + u * ((1 - v) * table[i + 1, j] + v * table[i + 1, j + 1]))


def reward(delay, admitted):
    """The sum of the nominal carried loads, r / (1 + exp(200 (s - theta))) where a delay is
    above its bound; the services are on the last axis."""
    over = 1 + np.exp(np.minimum(STEEPNESS * (delay - THETA), 700))
    return np.where(delay > BOUND, admitted / over, admitted).sum(axis=-1)


def reward_of_one(s1, s2, admitted1, admitted2):
    """The same of one interval, in plain Python."""
    total = 0.0
    for s, r, (bound, theta) in ((s1, admitted1, _LIMITS[0]), (s2, admitted2, _LIMITS[1])):
        total += r if s <= bound else r / (1 + math.exp(min(STEEPNESS * (s - theta), 700.0)))
    return total


def sinusoid(intervals=2000):
    """The loads that no table has: 12.5 + 7.5 sin, periods of 400 and 500 intervals."""
    t = np.arange(intervals)
    return np.column_stack([12.5 + 7.5 * np.sin(2 * np.pi * t / 400 + 1), 12.5 + 7.5 * np.sin(2 * np.pi * t / 500)])


def seen():
    return np.array([(a, b) for a in LOADS for b in LOADS])


def share_of_optimum(table, loads, chosen):
    """What the chosen configurations (one for each load pair) earn of the best ones."""
    admitted = 1 - configurations()[:, 2:]
    got = best = 0.0
    for (l1, l2), c in zip(loads, chosen):
        rewards = reward(delays(table, l1, l2), admitted * [l1, l2])
        got += rewards[c]
        best += rewards.max()
    return got / best
