"""Policies for windvane in Python, and its simulator as Gymnasium environments.

A policy is a subclass of Policy, and a plugin a file that ends in windvane.serve(policy).
SimEnv, SimVectorEnv and what they are built on need gymnasium and numpy:
pip install "windvane[sim]".
"""

from windvane.policy import (
    Alternative,
    Decision,
    Description,
    Knob,
    KnobID,
    Limits,
    Objective,
    Observation,
    Policy,
    Prediction,
    Service,
    Signal,
    State,
    Table,
    Trained,
)
from windvane.serving import serve

# By the module that has them, which is loaded when they are first asked for: a plugin that
# only decides needs no gymnasium.
_SIMULATOR = {
    "Loads": "windvane.simulator",
    "Simulation": "windvane.simulator",
    "Simulator": "windvane.simulator",
    "SimulatorError": "windvane.simulator",
    "SimEnv": "windvane.envs",
    "SimVectorEnv": "windvane.envs",
}

__all__ = [
    "Alternative",
    "Decision",
    "Description",
    "Knob",
    "KnobID",
    "Limits",
    "Objective",
    "Observation",
    "Policy",
    "Prediction",
    "Service",
    "Signal",
    "State",
    "Table",
    "Trained",
    "serve",
    *_SIMULATOR,
]


def __getattr__(name):
    if name not in _SIMULATOR:
        raise AttributeError(f"module 'windvane' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_SIMULATOR[name]), name)
