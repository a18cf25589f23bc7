"""The simulator as environments of Gymnasium: one mesh, or many in a vector.

One step is one interval of control: the observation shows the offered loads, the action is
taken, and the reward is what the interval was worth. A mesh does not end, so that episodes are
truncated after horizon intervals and never terminated.
"""

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from windvane.simulator import Simulation

HORIZON = 100  # intervals of an episode, unless told


def _spaces(simulation):
    observation = gymnasium.spaces.Box(simulation.low, simulation.high, dtype=np.float32)
    return observation, gymnasium.spaces.MultiDiscrete(simulation.categories)


class SimEnv(gymnasium.Env):
    """One mesh of the simulator at an address. Options are those of Simulation: delay,
    step_limit, free_raise, loads. Each step is a call, which takes longer than the step does:
    to train, use SimVectorEnv."""

    metadata = {"render_modes": []}
    render_mode = None

    def __init__(self, address, *, horizon=HORIZON, **options):
        self.simulation = Simulation(address, 1, horizon=horizon, **options)
        self.observation_space, self.action_space = _spaces(self.simulation)
        self._running = False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._running = True
        return self.simulation.reset(int(self.np_random.integers(1 << 63)))[0], {}

    def step(self, action):
        if not self._running:
            raise gymnasium.error.ResetNeeded("call reset before step, and after an episode has ended")
        s = self.simulation.steps(np.asarray(action).reshape(1, 1, -1))
        truncated = bool(s.truncated[0, 0])
        self._running = not truncated
        observation = s.final_observations[0] if truncated else s.observations[0, 0]
        return observation, float(s.rewards[0, 0]), bool(s.terminated[0, 0]), truncated, {}

    def close(self):
        self.simulation.close()


class SimVectorEnv(gymnasium.vector.VectorEnv):
    """num_envs meshes of the simulator at an address, stepped at once. Options are those of
    Simulation: first_lane, delay, step_limit, free_raise, loads.

    An episode that ends starts anew in the same step: its last observation is in
    infos["final_obs"], and the observation that of the next episode. The same seed gives the
    same episodes, whatever num_envs; an episode depends on its index and its own actions.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
    render_mode = None

    def __init__(self, address, num_envs, *, horizon=HORIZON, **options):
        self.simulation = Simulation(address, num_envs, horizon=horizon, **options)
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self.simulation)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed=None, options=None):
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise ValueError(f"seed {seed!r}: want one number, from which each environment has its own stream")
        if options:
            raise ValueError(f"reset has no options, and got {sorted(options)}")
        super().reset(seed=seed)
        return self.simulation.reset(int(self.np_random.integers(1 << 63))), {}

    def step(self, actions):
        s = self.simulation.steps(np.asarray(actions)[np.newaxis])
        infos = {}
        if s.truncated.any():
            final = np.full(self.num_envs, None, dtype=object)
            for lane, observation in zip(np.flatnonzero(s.truncated[0]), s.final_observations):
                final[lane] = observation
            infos = {"final_obs": final, "_final_obs": s.truncated[0].copy(), "final_info": {}, "_final_info": s.truncated[0].copy()}
        return s.observations[0], s.rewards[0].astype(np.float64), s.terminated[0], s.truncated[0], infos

    def steps(self, actions):
        """Many steps in one call, with actions [step][env][axis] that are known beforehand;
        returns windvane.simulator.Steps."""
        return self.simulation.steps(actions)

    def close_extras(self, **kwargs):
        self.simulation.close()
