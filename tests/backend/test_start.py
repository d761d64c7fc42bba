"""TensorFlow starts without its messages, whatever level of them the user has set."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("level", ["3", "2"])
def test_a_level_of_messages_in_the_environment_shows_no_more_than_none(level):
    program = "import os, skimb; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": level, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{level}\n"  # it stays as the user has set it
    shown = [line for line in done.stderr.splitlines() if level == "3" or line[:1] != "E"]
    assert shown == []
