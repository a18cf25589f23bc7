"""The environments of Gymnasium."""

import contextlib
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from windvane import Loads, SimEnv, SimVectorEnv


@pytest.fixture
def vector(address):
    """Makes vectors, and closes them."""
    with contextlib.ExitStack() as made:
        yield lambda *args, **options: made.enter_context(contextlib.closing(SimVectorEnv(address, *args, **options)))


def drawn(n, envs):
    return np.random.default_rng(1).integers(0, 6, (n, envs, 4))


@pytest.mark.parametrize("options", [{}, {"delay": 2, "step_limit": 1, "horizon": 7}], ids=["every interval for itself", "sequential"])
def test_env_passes_the_checker(address, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # It is made by its class, not by gymnasium.make, so that it has no spec.
        warnings.filterwarnings("ignore", message=".*env.spec.*|.*`spec`.*|.*gymnasium.make.*")
        check_env(SimEnv(address, **options))


def test_env_ends_an_episode_with_its_last_observation(address, vector):
    env, same = SimEnv(address, horizon=3), vector(1, horizon=3)
    first, _ = env.reset(seed=5)
    np.testing.assert_array_equal(first, same.reset(seed=5)[0][0])
    with env:
        for n in range(1, 4):
            observation, reward, terminated, truncated, info = env.step(np.array([1, 2, 0, 3]))
            o, r, _, _, infos = same.step(np.array([[1, 2, 0, 3]]))
            assert (terminated, truncated, info, reward) == (False, n == 3, {}, r[0])
            np.testing.assert_array_equal(observation, infos["final_obs"][0] if truncated else o[0])
        with pytest.raises(gymnasium.error.ResetNeeded):
            env.step(np.array([1, 2, 0, 3]))
        env.reset()
        assert not env.step(np.array([1, 2, 0, 3]))[3]


def test_vector_has_the_spaces_and_types_of_the_interface(vector):
    env = vector(5)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert env.single_action_space == gymnasium.spaces.MultiDiscrete([6, 6, 6, 6])
    assert env.observation_space.shape == (5, 2) and env.action_space.shape == (5, 4)
    observations, infos = env.reset(seed=1)
    assert infos == {} and observations.dtype == np.float32 and env.observation_space.contains(observations)
    observations, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
    assert env.observation_space.contains(observations) and infos == {}
    assert (rewards.dtype, rewards.shape) == (np.float64, (5,))
    assert terminated.dtype == truncated.dtype == bool and terminated.shape == truncated.shape == (5,)
    observations[:] = 0  # they are the caller's


def test_vector_is_deterministic_for_any_number_of_environments(vector):
    options = {"horizon": 6, "step_limit": 1, "loads": Loads(hold=4)}
    one = vector(4, **options)
    other = vector(4, **options)
    part = vector(2, **options)
    vectors = (one, other, part)
    seen = [v.reset(seed=3)[0] for v in vectors]
    for actions in drawn(20, 4):
        np.testing.assert_array_equal(seen[0], seen[1])
        np.testing.assert_array_equal(seen[0][:2], seen[2])
        seen = [v.step(actions[: v.num_envs])[0] for v in vectors]
    assert not np.array_equal(one.reset()[0], one.reset()[0]), "without a seed, episodes go on"
    assert not np.array_equal(one.reset(seed=3)[0], one.reset(seed=4)[0])


def test_vector_starts_anew_in_the_same_step(vector):
    env = vector(3, horizon=4)
    env.reset(seed=1)
    for n, actions in enumerate(drawn(12, 3), start=1):
        observations, _, terminated, truncated, infos = env.step(actions)
        assert not terminated.any() and truncated.all() == truncated.any() == (n % 4 == 0)
        if truncated.any():
            assert infos["_final_obs"].all() and len(infos["final_obs"]) == 3
            assert all(env.single_observation_space.contains(o) for o in infos["final_obs"])
            assert not np.array_equal(np.stack(infos["final_obs"]), observations)
        else:
            assert infos == {}


def test_wrappers_of_gymnasium_work(vector):
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(vector(2, horizon=5))
    env.reset(seed=1)
    total = np.zeros(2)
    for actions in drawn(5, 2):
        _, rewards, _, _, infos = env.step(actions)
        total += rewards
    np.testing.assert_allclose(infos["episode"]["r"], total)
    assert infos["episode"]["l"].tolist() == [5, 5]


def test_several_steps_in_one_call_are_the_same(vector):
    one = vector(3, horizon=4)
    many = vector(3, horizon=4)
    one.reset(seed=1), many.reset(seed=1)
    actions = drawn(9, 3)
    s = many.steps(actions)
    final = iter(s.final_observations)
    for n in range(9):
        observations, rewards, _, truncated, infos = one.step(actions[n])
        np.testing.assert_array_equal(observations, s.observations[n])
        np.testing.assert_array_equal(rewards, s.rewards[n].astype(float))
        np.testing.assert_array_equal(truncated, s.truncated[n])
        for lane in np.flatnonzero(truncated):
            np.testing.assert_array_equal(infos["final_obs"][lane], next(final))
    assert next(final, None) is None


def test_mistakes_leave_the_environment_usable(vector):
    env = vector(2)
    env.reset(seed=1)
    for actions in ([[0, 0, 0, 6], [0, 0, 0, 0]], [[0, 0, 0, -1], [0, 0, 0, 0]], [[0, 0, 0, 0]], [[0.5, 0, 0, 0], [0, 0, 0, 0]]):
        with pytest.raises(ValueError):
            env.step(np.array(actions))
    with pytest.raises(ValueError, match="one number"):
        env.reset(seed=[1, 2])
    with pytest.raises(ValueError, match="no options"):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.step(np.zeros((2, 4), int))
