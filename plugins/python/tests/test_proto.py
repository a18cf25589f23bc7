"""The generated code is that of the contract."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["policy_pb2.py", "sim_pb2.py"])
def test_generated_code_is_up_to_date(tmp_path, name):
    subprocess.run([HERE / "generate.sh", tmp_path], env={**os.environ, "PYTHON": sys.executable}, check=True)
    committed = (HERE / "windvane/proto" / name).read_text()
    assert (tmp_path / "windvane/proto" / name).read_text() == committed, "run plugins/python/generate.sh"
