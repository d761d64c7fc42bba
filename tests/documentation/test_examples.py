"""Every example runs in its small size, and prints nothing but its results."""

import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

pytestmark = pytest.mark.slow

# two numbers or more behind a name, as every example compares something with something
ROW = re.compile(r"^\S.*?(?:\s+[-+]?[\d.,]+%?){2,}\b", re.M)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_prints_a_table_and_no_warnings(example, tmp_path, monkeypatch, capfd):
    small = "--small"
    if example.stem == "quickstart":
        rng = np.random.default_rng(0)
        y = np.arange(100) % 5 == 0
        table = tmp_path / "table.csv"
        np.savetxt(table, np.column_stack([rng.normal(size=(100, 2)) + y[:, None], y]), "%.3f", ",")
        small = f"--data={table}"
    monkeypatch.setattr(sys, "argv", [str(example), small])
    monkeypatch.chdir(tmp_path)
    before = plt.get_backend()
    plt.switch_backend("template")  # shows no windows, and does not wait for them
    try:
        with warnings.catch_warnings():
            for shown in (UserWarning, RuntimeWarning, FutureWarning):
                warnings.simplefilter("error", shown)
            runpy.run_path(str(example), run_name="__main__")
    finally:
        plt.close("all")
        plt.switch_backend(before)
    printed, errors = capfd.readouterr()
    assert errors == ""
    assert len(ROW.findall(printed)) >= 2, printed


def test_a_program_of_its_own_prints_no_start_up_messages(tmp_path):
    command = [sys.executable, str(EXAMPLES / "thousand_labels.py"), "--small"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
