#!/usr/bin/env python3
"""PPO of Stable-Baselines3 as a plugin of windvane: it is trained in windvane's simulator, and
decides by the network alone, for which numpy is enough.

It learns the reward of the rules file. Of margins, prices and floors it knows nothing, as the
published policies do not: a policy to look at as a shadow.
"""

import json

import numpy as np

import windvane

STEPS = 300_000
LANES = 128


class PPO(windvane.Policy):
    name, version, artefact = "sb3-ppo", "1.0.0", True

    def configure(self, settings, card, artefact):
        if unknown := set(settings) - {"steps"}:
            raise ValueError(f"settings: there is steps, of the training, and got {sorted(unknown)}")
        if not artefact:
            raise ValueError("an artefact is needed: the network, as train makes it")
        self.network = Network(json.loads(artefact))

    def decide(self, observation):
        n = self.network
        knobs = [k for axis in n.axes for k in axis["knobs"]]
        if set(knobs) != set(observation.live):
            raise ValueError(f"the network was trained for {len(knobs)} other knobs than the mesh has now")
        loads = [observation.state.role(s, "offered").get() for s in n.services]
        if None in loads:
            return windvane.Decision(abstain=True, reason="an offered load is not known")
        choice = n.choose(n.shown(np.array([loads])))[0]
        action = {k: v for axis, c in zip(n.axes, choice) for k, v in zip(axis["knobs"], axis["values"][c])}
        return windvane.Decision(action, reason="what the network takes to be worth most at " + ", ".join(f"{v:.3g}/s" for v in loads))

    def train(self, simulator, seed, settings, progress):
        artefact = train(simulator, seed, settings.get("steps", STEPS), progress)
        return windvane.Trained(json.dumps(artefact).encode(), f"{settings.get('steps', STEPS)} steps of PPO, seed {seed}")


class Network:
    """The policy's network: observations in, a category of each axis out."""

    def __init__(self, artefact):
        self.services, self.offered = artefact["services"], np.array(artefact["offered"])
        self.axes = [{"knobs": [windvane.KnobID(*k) for k in a["knobs"]], "values": a["values"]} for a in artefact["axes"]]
        self.layers = [(np.array(w), np.array(b)) for w, b in artefact["layers"]]
        self.ends = np.cumsum([len(a["values"]) for a in self.axes])[:-1]

    def shown(self, loads):
        """Loads [n][service] in requests/s as the simulator shows them."""
        low, high = self.offered.T
        return np.clip((loads - low) / np.maximum(high - low, 1e-9), -1, 2)

    def choose(self, observations):
        """The categories [n][axis] of the most probable actions."""
        x = centred(observations)
        for i, (weight, bias) in enumerate(self.layers):
            x = (np.tanh(x) if i else x) @ weight.T + bias
        return np.stack([logits.argmax(axis=1) for logits in np.split(x, self.ends, axis=1)], axis=1)


def centred(observations):
    """From 0 to 1 a network of tanh takes several times as long to tell neighbouring loads apart."""
    return 3 * (2 * observations - 1)


def train(simulator, seed, steps, progress):
    """The artefact of a training on one core. An action matters for its own interval only, so
    that nothing is discounted; the other constants are those of windvane's own PPO."""
    import torch
    from stable_baselines3 import PPO as Learner
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecEnvWrapper, VecNormalize

    from vecenv import SimVecEnv

    class Centred(VecEnvWrapper):
        def reset(self):
            return centred(self.venv.reset())

        def step_wait(self):
            observations, rewards, done, infos = self.venv.step_wait()
            return centred(observations), rewards, done, infos

    class Schedule(BaseCallback):
        """Explores less and less, and tells how far it is."""

        def _on_rollout_start(self):
            done = self.num_timesteps / steps
            self.model.ent_coef = 0.2 * max(0.0, 1 - done / 0.8)

        def _on_rollout_end(self):
            progress(min(self.num_timesteps, steps), steps, "steps of PPO")

        def _on_step(self):
            return True

    torch.set_num_threads(1)
    simulated = SimVecEnv(simulator, LANES, horizon=0)
    env = VecNormalize(Centred(simulated), norm_obs=False, gamma=0.0)
    learner = Learner(
        "MlpPolicy", env, seed=seed, n_steps=16, batch_size=128, n_epochs=3, gamma=0.0, learning_rate=lambda left: 3e-3 * left, device="cpu"
    )
    learner.learn(steps, callback=Schedule())
    policy, simulation = learner.policy, simulated.env.simulation
    layers = [m for m in (*policy.mlp_extractor.policy_net, policy.action_net) if isinstance(m, torch.nn.Linear)]
    env.close()
    return {
        "services": simulation.services,
        "offered": simulation.offered.tolist(),
        "axes": [{"knobs": a.knobs, "values": a.values.tolist()} for a in simulation.axes],
        "layers": [(m.weight.tolist(), m.bias.tolist()) for m in layers],
    }


if __name__ == "__main__":
    windvane.serve(PPO())
