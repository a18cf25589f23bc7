#!/usr/bin/env python3
"""Looks up the settings that were worth most in windvane's simulator, by offered load.

    windvane train --rules rules.toml --dataset mesh.dataset -o artefacts -- python3 lookup.py

It tries settings at random, and knows of no margin and no budget: a policy to look at as a shadow.
"""

import json
import math

import windvane

LEVELS, LANES, BATCH = 5, 256, 32  # of the load of each service; environments; steps in a call


class Lookup(windvane.Policy):
    name, version, artefact = "py-lookup", "1.0.0", True

    def configure(self, settings, card, artefact):
        steps(settings)
        if not artefact:
            raise ValueError("an artefact is needed; `windvane train` makes one")
        self.table = json.loads(artefact)
        self.knobs = [windvane.KnobID(*k) for k in self.table["knobs"]]

    def decide(self, o):
        row = 0
        for name, low, high in self.table["services"]:
            load = o.state.role(name, "offered").get()
            if load is None:
                return windvane.Decision(abstain=True, reason=f"the offered load of {name} is not known")
            share = min(max((load - low) / max(high - low, 1e-9), 0), 1)
            row = row * LEVELS + math.ceil(share * (LEVELS - 1) - 1e-6)  # up: no service has more than its row is for
        return windvane.Decision(dict(zip(self.knobs, self.table["rows"][row])), reason=f"row {row} of the table")

    def train(self, simulator, seed, settings, progress):
        import numpy as np  # a plugin that only decides needs none

        env = windvane.SimVectorEnv(simulator, LANES, horizon=0)
        s, rng, of = env.simulation, np.random.default_rng(seed), steps(settings)
        sizes = tuple(s.categories)
        cells = LEVELS ** len(s.services) * int(np.prod(sizes))
        if cells > 10_000_000:
            raise ValueError(f"{cells} cells are too many to try: use fewer levels in the rules file")
        worth, times = np.zeros(cells), np.zeros(cells)
        seen = s.reset(seed)
        for done in range(0, of, LANES * BATCH):
            actions = rng.integers(0, sizes, (BATCH, LANES, len(sizes)))
            got = env.steps(actions)
            loads = np.concatenate([seen[np.newaxis], got.observations[:-1]])[..., : len(s.services)]
            levels = np.ceil(np.clip(loads, 0, 1) * (LEVELS - 1) - 1e-6).astype(int)
            cell = np.ravel_multi_index((*np.moveaxis(levels, -1, 0), *np.moveaxis(actions, -1, 0)), (LEVELS,) * len(s.services) + sizes)
            worth += np.bincount(cell.ravel(), got.rewards.ravel(), cells)
            times += np.bincount(cell.ravel(), minlength=cells)
            seen = got.observations[-1]
            progress(min(done + LANES * BATCH, of), of, f"{np.count_nonzero(times) / cells:.0%} of the settings tried")
        env.close()
        mean = np.where(times > 0, worth / np.maximum(times, 1), -np.inf).reshape(-1, int(np.prod(sizes)))
        best = np.stack(np.unravel_index(mean.argmax(axis=1), sizes), axis=1)
        table = {
            "services": [[n, *map(float, r)] for n, r in zip(s.services, s.offered)],
            "knobs": [k for a in s.axes for k in a.knobs],
            "rows": [[float(v) for a, c in zip(s.axes, row) for v in a.values[c]] for row in best],
        }
        return windvane.Trained(json.dumps(table).encode(), f"{len(best)} rows from {of} steps")


def steps(settings):
    """The one setting that there is; others are refused, so that a misspelt one is found."""
    settings = dict(settings)
    n = settings.pop("steps", 1_000_000)
    if settings or not isinstance(n, int) or n < 1:
        raise ValueError(f"settings: want a number of steps, as in {{\"steps\": 1000000}}, and got {n!r} and {sorted(settings)}")
    return n


if __name__ == "__main__":
    windvane.serve(Lookup())
