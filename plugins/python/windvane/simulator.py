"""The simulator of a mesh, as `windvane sim serve` serves it: a process to start, and
simulations to step in it. The environments of windvane.envs are built on these."""

import dataclasses
import os
import queue
import subprocess
import tempfile

import grpc
import numpy as np

from windvane.policy import KnobID
from windvane.proto import sim_pb2 as pb

_RUN = "/windvane.policy.v1.Simulator/Run"
_OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]


class SimulatorError(Exception):
    """What a simulator refuses, or why it cannot be reached."""


class Simulator:
    """`windvane sim serve` as a process of this one: it ends with close, with the block of
    `with`, and with this process. address is what simulations take."""

    def __init__(self, rules, dataset, *, seed=1, model=False, program="windvane"):
        self._directory = tempfile.TemporaryDirectory(prefix="windvane")
        socket = os.path.join(self._directory.name, "sim.sock")
        self.address = "unix:" + socket
        command = [program, "sim", "serve", f"--rules={rules}", f"--dataset={dataset}", f"--socket={socket}", f"--seed={seed}", "--watch-stdin"]
        if model:
            command.append("--model")
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as err:
            self._directory.cleanup()
            raise SimulatorError(f"start {program}: {err}") from err
        if not self._process.stdout.readline():  # it says so when it serves
            said = self._process.communicate()[1].decode(errors="replace").strip()
            self._directory.cleanup()
            raise SimulatorError(said or f"{program} ended with code {self._process.returncode}")

    def close(self):
        """Ends the process."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate()
        self._directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@dataclasses.dataclass(frozen=True)
class Loads:
    """How offered loads evolve. points is [point][service] in requests/s (None: those that
    windvane trains at). A lane draws one anew every hold intervals in the mean; with cycle it
    goes through them in their order, and round again."""

    points: object = None
    hold: int = 1
    cycle: bool = False

    def message(self):
        out = pb.Loads(order=pb.LOAD_ORDER_CYCLE if self.cycle else pb.LOAD_ORDER_DRAWN, hold=0 if self.cycle else self.hold)
        if self.points is not None:
            out.points.extend(np.asarray(self.points, dtype=float).ravel().tolist())
        return out


@dataclasses.dataclass(frozen=True)
class Axis:
    """One choice of an action: which category sets which knobs to what."""

    knobs: tuple[KnobID, ...]
    services: tuple[str, ...]  # that the knobs act on
    values: np.ndarray  # [category][knob]


class Steps:
    """What steps came to: observations [step][lane][feature] (of the next episode already
    where one was truncated), rewards [step][lane], terminated and truncated [step][lane], and
    final_observations [truncated][feature], in the order of the ones in truncated. Arrays are
    the caller's."""

    __slots__ = ("observations", "rewards", "terminated", "truncated", "final_observations")

    def __init__(self, m, lanes, features):
        self.observations = _floats(m.observations).reshape(-1, lanes, features)
        self.rewards = _floats(m.rewards).reshape(-1, lanes)
        self.terminated = _bools(m.terminated).reshape(-1, lanes)
        self.truncated = _bools(m.truncated).reshape(-1, lanes)
        self.final_observations = _floats(m.final_observations).reshape(-1, features)


def _floats(raw):
    return np.frombuffer(raw, "<f4").astype(np.float32)  # a copy, so that it can be written to


def _bools(raw):
    return np.frombuffer(raw, np.uint8).astype(bool)


class Simulation:
    """Lanes of one mesh, stepped at once in a simulator. What a lane sees depends on the seed,
    its number (from first_lane on) and its own actions: not on the other lanes, nor on how
    many steps are asked for at once. It is for one thread."""

    def __init__(self, address, lanes, *, first_lane=0, horizon=0, delay=0, step_limit=0, free_raise=False, loads=None, timeout=120):
        self.address, self.lanes = address, lanes
        path = address.removeprefix("unix:")
        if path != address and not os.path.exists(path):
            raise SimulatorError(f"there is no socket {path}; start one with `windvane sim serve --socket {path}`")
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        try:
            grpc.channel_ready_future(self._channel).result(timeout)  # it may still fit its model
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise SimulatorError(f"no simulator answers at {address} within {timeout} s") from None
        self._requests = queue.SimpleQueue()
        run = self._channel.stream_stream(_RUN, pb.RunRequest.SerializeToString, pb.RunResponse.FromString)
        self._responses = run(iter(self._requests.get, None))
        opened = self._ask(
            open=pb.OpenRequest(
                lanes=lanes, first_lane=first_lane, horizon=horizon, delay=delay, step_limit=step_limit, free_raise=free_raise,
                loads=(loads or Loads()).message(),
            )
        ).open
        self.mesh, self.reward, self.most_steps = opened.mesh, opened.reward, opened.most_steps
        self.services = tuple(s.service for s in opened.services)
        self.offered = np.array([[s.min, s.max] for s in opened.services])  # [service]: requests/s that are shown as 0 and 1
        self.features = tuple(f.name for f in opened.features)
        self.low = np.array([f.low for f in opened.features], np.float32)
        self.high = np.array([f.high for f in opened.features], np.float32)
        self.axes = tuple(
            Axis(
                tuple(KnobID(k.kind, k.target, k.part) for k in a.knobs),
                tuple(k.service for k in a.knobs),
                np.array(a.values).reshape(-1, len(a.knobs)),
            )
            for a in opened.axes
        )
        self.categories = np.array([len(a.values) for a in self.axes])

    def reset(self, seed):
        """Starts an episode in each lane; returns the observations [lane][feature]."""
        raw = self._ask(reset=pb.ResetRequest(seed=seed % (1 << 64))).reset.observations
        return _floats(raw).reshape(self.lanes, len(self.features))

    def steps(self, actions):
        """Takes the Steps of actions [step][lane][axis], categories that are all known beforehand."""
        actions = np.asarray(actions)
        if actions.ndim != 3 or actions.shape[1:] != (self.lanes, len(self.axes)) or not np.issubdtype(actions.dtype, np.integer):
            raise ValueError(f"actions are {actions.dtype} of shape {actions.shape}, want integers of (steps, {self.lanes}, {len(self.axes)})")
        if (actions < 0).any() or (actions >= self.categories).any():
            raise ValueError(f"an action is no category of its axis; they have {self.categories.tolist()} of them, from 0")
        raw = np.ascontiguousarray(actions, "<i4").tobytes()
        return Steps(self._ask(step=pb.StepRequest(actions=raw)).step, self.lanes, len(self.features))

    def _ask(self, **request):
        if self._channel is None:
            raise SimulatorError("the simulation is closed")
        self._requests.put(pb.RunRequest(**request))
        try:
            return next(self._responses)
        except StopIteration:
            why = "the simulator ended the simulation"
        except grpc.RpcError as err:
            why = f"{self.address}: {err.details()}"
        self.close()
        raise SimulatorError(why)

    def close(self):
        """Ends the simulation. A second call does nothing."""
        if self._channel is not None:
            self._requests.put(None)
            self._channel.close()
            self._channel = None
