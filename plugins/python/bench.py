#!/usr/bin/env python3
"""How many simulator steps a second get through the wire, with random actions that were
drawn beforehand: one environment, a vector, and a vector with several steps in a call.

    bench.py --rules ../../examples/mo1/rules.toml --dataset mesh.dataset
"""

import argparse
import statistics
import time

import numpy as np

import windvane


def rate(step, actions, steps_each, seconds):
    """Steps in a second of the clock."""
    n, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        step(actions[n % len(actions)])
        n += 1
    return n * steps_each / took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", required=True, help="the mesh's rules file")
    parser.add_argument("--dataset", required=True, help="as `windvane import trace` writes it")
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=32, help="in a call of the last figure")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--repeat", type=int, default=5, help="measurements, of which the median is told")
    a = parser.parse_args()
    with windvane.Simulator(a.rules, a.dataset) as simulator:
        env, vector = windvane.SimEnv(simulator.address, horizon=0), windvane.SimVectorEnv(simulator.address, a.lanes)
        axes, rng = env.simulation.categories, np.random.default_rng(1)
        for what, step, shape, each in (
            ("SimEnv", env.step, (), 1),
            (f"SimVectorEnv, {a.lanes} lanes", vector.step, (a.lanes,), a.lanes),
            (f"the same, {a.steps} steps a call", vector.steps, (a.steps, a.lanes), a.lanes * a.steps),
        ):
            actions = rng.integers(0, axes, (64, *shape, len(axes)), dtype=np.int32)
            env.reset(seed=1), vector.reset(seed=1)
            rates = [rate(step, actions, each, a.seconds) for _ in range(a.repeat)]
            print(f"{what:<32} {statistics.median(rates):>12,.0f} steps/s  ({min(rates):,.0f} to {max(rates):,.0f}, n={a.repeat})", flush=True)


if __name__ == "__main__":
    main()
