"""A simulator of the example mo1, fitted to an eighth of its sample, for all tests."""

import pathlib
import subprocess

import pytest

from windvane import Simulator

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/mo1"


@pytest.fixture(scope="session")
def mesh(tmp_path_factory):
    """The rules file and the dataset."""
    directory = tmp_path_factory.mktemp("mo1")
    lines = (EXAMPLE / "trace-sample.csv").read_text().splitlines(keepends=True)
    (directory / "trace.csv").write_text("".join(lines[:1] + lines[1::8]))
    command = ["windvane", "import", "trace", directory / "trace.csv", "--mapping", EXAMPLE / "mapping.toml", "-o", directory / "dataset"]
    subprocess.run(command, check=True, capture_output=True)
    return EXAMPLE / "rules.toml", directory / "dataset"


@pytest.fixture(scope="session")
def address(mesh):
    with Simulator(*mesh) as simulator:
        yield simulator.address
