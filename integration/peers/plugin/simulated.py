"""PPO of Stable-Baselines3 in windvane's simulator, and how many steps a second get through
the wire.

    simulated.py --rules ../../../examples/mo1/rules.toml --dataset mo1.dataset --ours bench.json

`make peers` runs it.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

import ppo
import windvane

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 0)]
sys.path.append(str(Path(__file__).resolve().parents[1] / "learning"))
import mo1
from figures import Figures
from progress import Progress


def worth(address, loads):
    """Observations [point][service] and rewards [point][action] of loads, for every action."""
    probe = windvane.Simulation(address, 1)
    sizes, (low, high) = probe.categories, probe.offered.T
    probe.close()
    actions = np.stack(np.unravel_index(np.arange(sizes.prod()), sizes), axis=1)
    loads = np.clip(loads, low, high)  # the table's ends are what was measured
    s = windvane.Simulation(address, len(actions), loads=windvane.Loads(loads, cycle=True))
    observations, rewards = [s.reset(1)[np.newaxis]], []
    for part in np.array_split(np.arange(len(loads)), -(-len(loads) // s.most_steps)):
        steps = s.steps(np.broadcast_to(actions, (len(part), *actions.shape)))
        observations.append(steps.observations)
        rewards.append(steps.rewards)
    s.close()
    # Each lane takes one action through all points, from wherever it starts: sorted by what
    # they observed, their rewards are of the same points.
    observations, rewards = np.concatenate(observations)[:-1], np.concatenate(rewards)
    order = np.lexsort(np.moveaxis(observations, -1, 0)[::-1], axis=0)
    return np.take_along_axis(observations, order[..., np.newaxis], 0)[:, 0], np.take_along_axis(rewards, order, 0), sizes


def share_of_optimum(network, address, loads):
    observations, rewards, sizes = worth(address, loads)
    chosen = np.ravel_multi_index(network.choose(observations).T, sizes)
    return rewards[np.arange(len(chosen)), chosen].sum() / rewards.max(axis=1).sum()


def learn(address, seeds, steps):
    """Seconds of the clock and of this process's CPU time, and the two shares, by seed."""
    out = []
    with Progress("steps of PPO in windvane's simulator", len(seeds) * steps) as p:
        for seed in seeds:
            told = 0

            def progress(done, total, note):
                nonlocal told
                p.add(done - told)
                told = done

            start, cpu = time.perf_counter(), time.process_time()
            artefact = ppo.train(address, seed, steps, progress)
            took = time.perf_counter() - start, time.process_time() - cpu
            network = ppo.Network({**artefact, "axes": [{**a, "knobs": list(a["knobs"])} for a in artefact["axes"]]})
            out.append((*took, share_of_optimum(network, address, mo1.seen()), share_of_optimum(network, address, mo1.sinusoid())))
    return np.array(out)


def through_the_wire(address, lanes=1024, seconds=2.0, times=5):
    """Steps in a second of the clock, with actions that were drawn beforehand."""
    env = windvane.SimVectorEnv(address, lanes)
    actions = np.random.default_rng(1).integers(0, env.simulation.categories, (64, lanes, len(env.simulation.axes)))
    env.reset(seed=1)
    rates = []
    for _ in range(times):
        n, start = 0, time.perf_counter()
        while (took := time.perf_counter() - start) < seconds:
            env.step(actions[n % len(actions)])
            n += 1
        rates.append(n * lanes / took)
    env.close()
    return np.median(rates), times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", required=True, help="of the scenario MO1")
    parser.add_argument("--dataset", required=True, help="of its trace")
    parser.add_argument("--ours", metavar="BENCH.JSON", help="figures of make bench, to which these are added")
    parser.add_argument("--windvane", default="windvane", help="the program")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--steps", type=int, default=ppo.STEPS)
    a = parser.parse_args()
    seeds = [int(s) for s in a.seeds.split(",")]
    figures = Figures()
    with windvane.Simulator(a.rules, a.dataset, program=a.windvane) as simulator:
        rate, n = through_the_wire(simulator.address)
        runs = learn(simulator.address, seeds, a.steps)
    took, cpu, seen, unseen = np.median(runs, axis=0)
    for seed, run in zip(seeds, runs):
        print(f"  seed {seed}: {run[0]:.1f} s ({run[1]:.1f} s of CPU time), {run[2]:.4f} of the optimum seen, {run[3]:.4f} unseen")
    who = f"Stable-Baselines3 in windvane's simulator, {a.steps} steps"
    figures.add("simulator_table_steps", "wire_steps", rate, "1/s", n, "windvane's simulator from Python, 1,024 lanes")
    figures.add("ppo_train_seconds", "plugin_train_seconds", cpu, "s", len(seeds), who)
    figures.add("ppo_steps_per_second", "plugin_steps_per_second", a.steps / took, "1/s", len(seeds), who + ", of the clock")
    figures.add("ppo_seen_ratio", "plugin_seen_ratio", seen, "1", len(seeds), who)
    figures.add("ppo_unseen_ratio", "plugin_unseen_ratio", unseen, "1", len(seeds), who)
    figures.report(f"a plugin in Python, seeds {a.seeds}, {os.cpu_count()} cores", a.ours, f"simulated.py --dataset {a.dataset}",
                   fill=False)  # they have those of the authors' way


if __name__ == "__main__":
    main()
