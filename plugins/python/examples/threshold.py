#!/usr/bin/env python3
"""Sheds load while a latency is above its bound, and takes it back once it is well below."""

import windvane


class Threshold(windvane.Policy):
    name, version = "ten-lines", "1.0.0"

    def decide(self, o):
        action = dict(o.live)
        for service in o.services:
            for objective in service.objectives:
                latency = o.state.find(service.name, objective.signal).get()
                for knob in o.knobs_of(service.name, "blocking") if objective.kind == "latency" and latency is not None else ():
                    step = 0.1 if latency > objective.bound else -0.05 if latency < 0.8 * objective.bound and not o.limits.frozen else 0
                    action[knob.id] = knob.clip(o.live[knob.id] + max(step, -o.limits.max_step))
        return windvane.Decision(action, reason="blocks more above a bound, and less below four fifths of it")


if __name__ == "__main__":
    windvane.serve(Threshold())
