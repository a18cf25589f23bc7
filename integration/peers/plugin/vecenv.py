"""windvane's simulator as a VecEnv of Stable-Baselines3."""

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

import windvane


class SimVecEnv(VecEnv):
    """num_envs meshes of the simulator at an address; options are those of windvane.SimVectorEnv."""

    def __init__(self, address, num_envs, **options):
        self.env = windvane.SimVectorEnv(address, num_envs, **options)
        super().__init__(num_envs, self.env.single_observation_space, self.env.single_action_space)

    def reset(self):
        return self.env.reset(seed=self._seeds[0])[0]

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        observations, rewards, terminated, truncated, info = self.env.step(self.actions)
        infos = [{} for _ in range(self.num_envs)]
        for lane in np.flatnonzero(truncated):
            infos[lane] = {"terminal_observation": info["final_obs"][lane], "TimeLimit.truncated": True}
        return observations, rewards.astype(np.float32), terminated | truncated, infos

    def close(self):
        self.env.close()

    def get_attr(self, attr_name, indices=None):
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name, value, indices=None):
        raise NotImplementedError("the environments are in the simulator")

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError("the environments are in the simulator")

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * len(list(self._get_indices(indices)))
