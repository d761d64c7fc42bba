"""Every example runs in its small size, and prints nothing but its results."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

# two numbers or more behind a name, as every example compares something with something
ROW = re.compile(r"^\S.*?(?:\s+[-+]?[\d.,]+%?){2,}\b", re.M)

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.fixture
def small_size(tmp_path):
    """Return what makes an example small: --small, or the quickstart's own arguments."""

    def arguments(example):
        if example.stem != "quickstart":
            return ["--small"]
        rng = np.random.default_rng(0)
        y = np.arange(100) % 5 == 0
        table = tmp_path / "table.csv"
        np.savetxt(table, np.column_stack([rng.normal(size=(100, 2)) + y[:, None], y]), "%.3f", ",")
        return ["--data", str(table)]

    return arguments


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_prints_a_table_and_no_start_up_messages_or_warnings(example, small_size, tmp_path):
    done = subprocess.run(
        [sys.executable, str(example), *small_size(example)],
        cwd=tmp_path,
        env={
            **os.environ,
            "MPLBACKEND": "template",
        },  # shows no windows, and does not wait for them
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(ROW.findall(done.stdout)) >= 2, done.stdout
