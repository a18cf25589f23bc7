"""The optimum of plugins/search's stored instances, as a mixed integer program by HiGHS.

    pip install -r requirements.txt
    python milp.py ../../../plugins/search/testdata/instances.json

solves each instance that has no reference yet, for at most 120 s each (--seconds), and
writes its own solution and its dual bound, both in value per second, into the file. With
--ours BENCH.JSON it solves all of them again, leaves the file as it is, and prints and
fills in the peers of what `make bench` wrote there.

The program: one binary variable for each service and setting; exactly one setting a
service; for each node and each service that may use it, load <= the load at which the
node's delay is the service's bound, if the service's setting uses the node. That load
is known here because the delay is a formula; a policy does not have it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import scipy
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

sys.path.append(str(Path(__file__).resolve().parents[1]))
from figures import Figures
from progress import Progress

LEVELS = 6
SETTINGS = LEVELS * (LEVELS - 1) + 1
STEEP = 0.999  # utilisation from which the delay is a line, far above any bound


def setting(k):
    """Blocking, and the weight of the first node."""
    if k == SETTINGS - 1:
        return 1.0, 0.0
    return (k // LEVELS) / (LEVELS - 1), (k % LEVELS) / (LEVELS - 1)


def share(k, d):
    """The share of the offered load that goes to the service's node d."""
    blocking, weight = setting(k)
    return (1 - blocking) * (weight if d == 0 else 1 - weight)


class Rows:
    """Constraints low <= A x <= high under construction."""

    def __init__(self):
        self.at, self.columns, self.values, self.low, self.high = [], [], [], [], []

    def add(self, row, low, high):
        for column, value in row.items():
            self.at.append(len(self.low))
            self.columns.append(column)
            self.values.append(value)
        self.low.append(low)
        self.high.append(high)

    def constraint(self, columns):
        a = coo_matrix((self.values, (self.at, self.columns)), shape=(len(self.low), columns)).tocsr()
        return LinearConstraint(a, self.low, self.high)


def solve(instance, seconds):
    services, columns = instance["services"], len(instance["services"]) * SETTINGS
    rows, cost = Rows(), np.zeros(columns)
    for i, s in enumerate(services):
        for k in range(SETTINGS):
            cost[i * SETTINGS + k] = -s["value"] * s["rate"] * (1 - setting(k)[0])
        rows.add({i * SETTINGS + k: 1.0 for k in range(SETTINGS)}, 1, 1)
    for m, capacity in enumerate(instance["capacity"]):
        users = [(i, d) for i, s in enumerate(services) for d in (0, 1) if s["nodes"][d] == m]
        if not users:
            continue
        limit = {i: capacity * min(STEEP, max(0.0, 1 - instance["delay"][m] / services[i]["bound"])) for i, _ in users}
        top = max(limit.values())
        load = {
            i * SETTINGS + k: services[i]["rate"] * services[i]["work"] * share(k, d)
            for i, d in users for k in range(SETTINGS) if share(k, d) > 0
        }
        for i, d in users:
            row = dict(load)
            for k in range(SETTINGS):
                if share(k, d) > 0:
                    row[i * SETTINGS + k] += top - limit[i]
            rows.add(row, -np.inf, top)
    start = time.monotonic()
    r = milp(cost, constraints=rows.constraint(columns), integrality=np.ones(columns), bounds=Bounds(0, 1),
             options={"time_limit": seconds, "mip_rel_gap": 1e-6})
    return {
        "value": round(float(-r.fun), 6) if r.x is not None else 0.0, "bound": round(float(-r.mip_dual_bound), 6),
        "seconds": round(time.monotonic() - start, 1), "solver": f"HiGHS of scipy {scipy.__version__}",
    }


def write(path, data):
    lines = ",\n".join(json.dumps(i, separators=(",", ":")) for i in data["instances"])
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write('{"origin":' + json.dumps(data["origin"]) + ',"instances":[\n' + lines + "\n]}\n")
    os.replace(path + ".new", path)


def refer(data, path, seconds):
    for instance in data["instances"]:
        if instance["reference"]["bound"] > 0:
            continue
        instance["reference"] = solve(instance, seconds)
        r = instance["reference"]
        print(f"{len(instance['services']):4d} services, seed {instance['seed']}: value {r['value']:.3f}, "
              f"bound {r['bound']:.3f}, {r['seconds']} s", flush=True)
        write(path, data)


def compare(data, seconds, bench):
    """Shares are of the bound that the file has, as windvane's are."""
    shares, took = {}, {}
    with Progress("mixed integer programs", len(data["instances"])) as p:
        for instance in data["instances"]:
            r, n = solve(instance, seconds), len(instance["services"])
            shares.setdefault(n, []).append(r["value"] / instance["reference"]["bound"])
            took.setdefault(n, []).append(r["seconds"])
            p.add()
    figures, who = Figures(), f"HiGHS of scipy {scipy.__version__}, {seconds:.0f} s at most"
    for n, share in shares.items():
        for name, value, unit in (("share", np.median(share), "1"), ("share_least", min(share), "1"), ("seconds", np.median(took[n]), "s")):
            figures.add(f"search_{n}_{name}", f"search_{n}_{name}", value, unit, len(share), who)
    figures.report("search, as a share of the bound that no solution exceeds", bench, f"milp.py --seconds {seconds:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", metavar="INSTANCES.JSON")
    parser.add_argument("--seconds", type=float, default=120, help="for each instance")
    parser.add_argument("--ours", metavar="BENCH.JSON", help="figures of make bench")
    a = parser.parse_args()
    with open(a.instances, encoding="utf-8") as f:
        data = json.load(f)
    if a.ours:
        compare(data, a.seconds, a.ours)
    else:
        refer(data, a.instances, a.seconds)


if __name__ == "__main__":
    main()
