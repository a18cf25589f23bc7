"""The client of the simulator."""

import numpy as np
import pytest

import windvane
from windvane import Loads, Simulation, Simulator, SimulatorError


def test_says_what_it_is(address):
    s = Simulation(address, 1, delay=1)
    assert (s.mesh, s.services) == ("mo1", ("compute", "information"))
    assert "mo1" in s.reward and s.most_steps > 1000
    assert s.offered.shape == (2, 2) and (s.offered[:, 0] < s.offered[:, 1]).all()
    assert s.features[0] == "offered load of compute" and len(s.features) == 6
    assert s.axes[0].knobs == (windvane.KnobID("blocking", "compute"),) and s.axes[0].services == ("compute",)
    weights = s.axes[2]
    assert [k.part for k in weights.knobs] == ["v1", "v2"]
    np.testing.assert_allclose(weights.values.sum(axis=1), 1)
    s.close()
    s.close()
    with pytest.raises(SimulatorError, match="closed"):
        s.reset(1)


def test_goes_through_loads_in_their_order(address):
    s = Simulation(address, 4, loads=Loads([[5, 5], [10, 15], [20, 10]], cycle=True))
    seen = np.concatenate([s.reset(1)[np.newaxis], s.steps(np.zeros((5, 4, 4), int)).observations])
    offered = s.offered[:, 0] + seen * (s.offered[:, 1] - s.offered[:, 0])
    np.testing.assert_allclose(offered[3:], offered[:3], rtol=1e-5)
    assert sorted(map(tuple, offered[:3, 0].round(3).tolist())) == [(5, 5), (10, 15), (20, 10)]
    s.close()


@pytest.mark.parametrize(
    ("options", "want"),
    [({"lanes": 0}, "0 lanes"), ({"lanes": 1, "horizon": -1}, "horizon -1"), ({"lanes": 1, "loads": Loads([[5, 500]])}, "knows .* only")],
)
def test_tells_what_is_refused(address, options, want):
    with pytest.raises(SimulatorError, match=want):
        Simulation(address, **options)


def test_step_before_reset_is_told(address):
    with pytest.raises(SimulatorError, match="step before reset"):
        Simulation(address, 1).steps(np.zeros((1, 1, 4), int))


def test_tells_that_there_is_none(tmp_path):
    with pytest.raises(SimulatorError, match="windvane sim serve"):
        Simulation(f"unix:{tmp_path}/s", 1)


def test_tells_why_it_does_not_start(mesh):
    with pytest.raises(SimulatorError, match="no such file.*import trace"):
        Simulator(mesh[0], "nothing.dataset")
    with pytest.raises(SimulatorError, match="start nothing-like-it"):
        Simulator(*mesh, program="nothing-like-it")


def test_ends_when_the_simulator_does(mesh):
    with Simulator(*mesh, model=True) as simulator:
        s = Simulation(simulator.address, 1)
        s.reset(1)
    with pytest.raises(SimulatorError):
        s.steps(np.zeros((1, 1, 4), int))
