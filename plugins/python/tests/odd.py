"""A plugin whose answers are what the host's test asks for, in the name of the mesh."""

import logging
import time

import windvane


class Odd(windvane.Policy):
    version = "2"

    def configure(self, settings, card, artefact):
        if settings.get("colour") == "blue":
            raise ValueError("colour: blue is sold out")

    def decide(self, o):
        print("printed while deciding")
        logging.getLogger("odd").warning("logged while deciding", extra={"services": len(o.services)})
        if o.mesh == "raise":
            raise RuntimeError("no idea")
        if o.mesh == "nothing":
            return None
        if o.mesh == "part":
            return windvane.Decision({o.knobs[0].id: 0.5})
        if o.mesh == "strange":
            return windvane.Decision({**o.live, windvane.KnobID("blocking", "nobody"): 0.5})
        if o.mesh == "far":
            return windvane.Decision({**o.live, o.knobs[0].id: 1.5})
        if o.mesh == "unequal":
            return windvane.Decision({k: v / 2 for k, v in o.live.items()})
        if o.mesh == "slow":
            time.sleep(60)
        if o.mesh == "abstain":
            return windvane.Decision(abstain=True, reason="rather not")
        return windvane.Decision(
            dict(o.live), reason="ö" * 5000, infeasible=True,
            expected=[windvane.Prediction("a", "latency", 0.25, risk=0.5, scale=1.5)],
            expected_live=[windvane.Prediction("a", "latency", 0.5, supported=False)],
            alternatives=[windvane.Alternative({**o.live, o.knobs[0].id: 0.5}, 3.5, "dearer")],
        )

    def train(self, simulator, seed, settings, progress):
        progress(1, 2, "half of it")
        if settings.get("fail"):
            raise RuntimeError("a network that learns nothing")
        return windvane.Trained(f"{simulator} {seed}".encode(), "learned it by heart")

    def export(self, rows):
        return windvane.Table(["load", "blocking"], [["10", "0"], ["20", ".5"]][:rows], "the rest")


if __name__ == "__main__":
    windvane.serve(Odd())
