"""The figures of a peer beside windvane's, which `make bench` wrote into a file
{name: {"value", "unit", "peer", "n"}}."""

import json
import os

LESS_IS_BETTER = ("s", "ms", "us", "ns")


class Figures:
    """What was measured of a peer."""

    def __init__(self):
        self.rows = []

    def add(self, ours, name, value, unit, n, who):
        """A figure, by the name of windvane's that it is held against and one of its own."""
        self.rows.append((ours, name, float(value), unit, n, who))

    def report(self, title, path, command, fill=True):
        """Fills the peer fields of the file, the first peer of each figure; adds every
        figure under its own name; and prints the ratios, how many times better windvane
        is. Without a file it prints the figures; without fill the peer fields stay as they are."""
        figures = {}
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                figures = json.load(f)
        commit = next(iter(figures.values()), {}).get("commit", "")
        for ours, name, value, unit, n, _ in reversed(self.rows):
            if fill and ours in figures:
                figures[ours]["peer"] = value
            figures["peer_" + name] = {"value": value, "unit": unit, "peer": None, "n": n, "command": command, "commit": commit}
        if path:
            with open(path + ".new", "w", encoding="utf-8") as f:
                json.dump(dict(sorted(figures.items())), f, indent=2)
                f.write("\n")
            os.replace(path + ".new", path)
        print(f"\n{title}\n  {'figure':<24} {'windvane':>9} {'peer':>9} {'':<3} {'ratio':>7} {'n':>3}  peer")
        for ours, _, value, unit, n, who in self.rows:
            mine = figures.get(ours, {}).get("value")
            ratio = mine and (value / mine if unit in LESS_IS_BETTER else mine / value)
            print(f"  {ours:<24} {number(mine):>9} {number(value):>9} {'' if unit == '1' else unit:<3} {number(ratio):>7} {n:>3}  {who}",
                  flush=True)


def number(v):
    if v is None:
        return "-"
    return f"{v:.0f}" if abs(v) >= 1000 else f"{v:.4g}"
