"""The authors' simulator, a Gymnasium environment in whose step the fitted models predict,
and the same with the predictions in a table; and PPO of Stable-Baselines3 in the latter."""

import time

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

import mo1

_LOADS = mo1.LOADS.tolist()
STEPS = 100_000  # of PPO


class Mesh(gymnasium.Env):
    """One interval a step: the offered load of the next is drawn from the 16 of the trace.
    Its delay, predict(action, i, j) -> (s1, s2), is what the two variants differ in."""

    def __init__(self, predict, horizon=100):
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = gymnasium.spaces.MultiDiscrete([mo1.LEVELS] * 4)
        self.predict, self.horizon = predict, horizon

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.taken = 0
        return self._draw(), {}

    def _draw(self):
        self.i, self.j = self.np_random.integers(0, len(mo1.LOADS), 2).tolist()
        return np.array([self.i / 1.5 - 1, self.j / 1.5 - 1], np.float32)

    def step(self, action):
        action = action.tolist()
        s1, s2 = self.predict(action, self.i, self.j)
        reward = mo1.reward_of_one(s1, s2, _LOADS[self.i] * (1 - action[2] / 5), _LOADS[self.j] * (1 - action[3] / 5))
        self.taken += 1
        # In the unit of the largest reward, as networks like it.
        return self._draw(), reward / 40, False, self.taken >= self.horizon, {}


def with_models(models):
    """A model's prediction is one call of scikit-learn for one row."""
    def predict(action, i, j):
        x = np.array([[20 * action[0], 20 * action[1], action[2] / 5, action[3] / 5, mo1.LOADS[i], mo1.LOADS[j]]])
        return models[0].predict(x)[0], models[1].predict(x)[0]
    return Mesh(predict)


def with_table(table):
    rows = table.tolist()

    def predict(a, i, j):
        return rows[i][j][((a[0] * 6 + a[1]) * 6 + a[2]) * 6 + a[3]]
    return Mesh(predict)


def step_rate(env, seconds=3.0):
    """Steps in a second of one core, with actions that were drawn beforehand."""
    rng = np.random.default_rng(1)
    actions = rng.integers(0, mo1.LEVELS, (1000, 4))
    env.reset(seed=1)
    steps, start = 0, time.process_time()
    while True:
        _, _, _, truncated, _ = env.step(actions[steps % len(actions)])
        steps += 1
        if truncated:
            env.reset()
        took = time.process_time() - start
        if took > seconds:
            return steps / took


class Tell(BaseCallback):
    def __init__(self, progress):
        super().__init__()
        self.progress = progress

    def _on_step(self):
        self.progress.add(self.training_env.num_envs)
        return True


def train(table, seed, steps, progress):
    """PPO of Stable-Baselines3 with its 2x64 networks, on one core. An action matters for
    its own interval only, so nothing is discounted; the other constants are the best of a
    few that were compared with seed 1001. Returns the CPU seconds and the two shares
    of the optimum."""
    torch.set_num_threads(1)
    env = DummyVecEnv([lambda: with_table(table)] * 16)
    agent = PPO("MlpPolicy", env, seed=seed, n_steps=64, batch_size=128, gamma=0.0,
                learning_rate=lambda left: 3e-3 * left, ent_coef=0.1, device="cpu")
    start = time.process_time()
    agent.learn(steps, callback=Tell(progress))
    took = time.process_time() - start

    def share(loads):
        observations = ((loads - 12.5) / 7.5).astype(np.float32)
        actions, _ = agent.predict(observations, deterministic=True)
        return mo1.share_of_optimum(table, loads, actions @ [216, 36, 6, 1])
    return took, share(mo1.seen()), share(mo1.sinusoid())
