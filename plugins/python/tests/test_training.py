"""An example that `windvane train` trains: in its simulator, by its host."""

import json
import os
import pathlib
import subprocess

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/lookup.py"


def train(mesh, out, *command, settings='{"steps": 200000}'):
    rules, dataset = mesh
    return subprocess.run(
        ["windvane", "train", f"--rules={rules}", f"--dataset={dataset}", "--seed=1000", f"--output={out}", f"--settings={settings}", "--deadline=5s", "--"]
        + list(command), capture_output=True, text=True, timeout=300,
    )


def test_the_example_is_trained_and_checked_and_stored(mesh, tmp_path):
    trained = train(mesh, tmp_path / "out", os.environ["WINDVANE_PYTHON"], EXAMPLE)
    assert trained.returncode == 0, trained.stderr
    (artefact,) = (tmp_path / "out").iterdir()
    assert artefact.name.startswith("py-lookup-") and f'artefact = "{artefact}"' in trained.stdout
    card = json.loads((artefact / "card.json").read_text())
    assert card["plugin"]["summary"] == "25 rows from 200000 steps"
    judged = card["plugin"]["judged"]
    assert [j["load"] for j in judged] == ["seen", "unseen"] and all(j["reward_ratio"] > 0.9 for j in judged), judged


def test_what_fails_in_train_is_told_and_nothing_is_stored(mesh, tmp_path):
    failed = train(mesh, tmp_path / "out", os.environ["WINDVANE_PYTHON"], EXAMPLE, settings='{"stps": 5}')
    assert failed.returncode == 1 and not (tmp_path / "out").exists()
    assert "nothing was written" in failed.stderr and "ValueError: settings: want a number of steps" in failed.stderr
