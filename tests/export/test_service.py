"""The service of the guide answers many clients at once, without errors and without growth."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from skimb import ImbalancedNNClassifier

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
ROOT = GUIDE.parents[1]
N_CLIENTS, N_REQUESTS = 8, 2000
# what allocators keep for threads; a leak of a program for each request would be gigabytes
MOST_GROWTH = 30 * 2**20


def resident_bytes(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def service(binary, tmp_path):
    """Return an estimator, and the address and the process of a service that has it."""
    for name in ("fastapi", "uvicorn", "httpx"):
        pytest.importorskip(name)
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc")
    skops = pytest.importorskip("skops.io")
    clf = ImbalancedNNClassifier(epochs=3, random_state=0).fit(*binary)
    skops.dump(clf, tmp_path / "model.skops")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = os.pathsep.join([str(ROOT), str(GUIDE)])
    environment = os.environ | {"MODEL": str(tmp_path / "model.skops"), "PYTHONPATH": folders}
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment)
    try:
        yield clf, f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_eight_clients_get_the_answers_of_the_estimator(service, binary):
    import httpx

    clf, address, process = service
    X = binary[0]
    expected = clf.predict_proba(X)

    def ready():
        try:
            return httpx.get(f"{address}/docs", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    deadline = time.monotonic() + 180
    while not ready():
        assert process.poll() is None, "the service stopped"
        assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.2)

    def ask(requests):
        with httpx.Client(timeout=60) as client:
            answers = [
                client.post(f"{address}/predict", json={"values": X[i % len(X)].tolist()})
                for i in requests
            ]
        return [(i % len(X), answer) for i, answer in zip(requests, answers, strict=True)]

    def ask_all(n):
        parts = [range(start, n, N_CLIENTS) for start in range(N_CLIENTS)]
        with ThreadPoolExecutor(N_CLIENTS) as pool:
            return [pair for part in pool.map(ask, parts) for pair in part]

    ask_all(N_REQUESTS // 4)
    before = resident_bytes(process.pid)
    answers = ask_all(N_REQUESTS)
    growth = resident_bytes(process.pid) - before
    assert {answer.status_code for _, answer in answers} == {200}
    rows, found = zip(
        *[(i, answer.json()["probabilities"]["1"]) for i, answer in answers], strict=True
    )
    assert_allclose(found, expected[list(rows), 1], atol=1e-6)
    assert growth < MOST_GROWTH
    wrong = httpx.post(f"{address}/predict", json={"values": [1.0]}, timeout=60)
    assert wrong.status_code == 422
    assert "features" in wrong.json()["detail"]


@pytest.mark.slow
def test_a_single_sample_takes_milliseconds(binary):
    clf = ImbalancedNNClassifier(epochs=3, random_state=0).fit(*binary)
    sample, seconds = binary[0][:1], []
    clf.predict_proba(sample)
    for _ in range(1000):
        start = time.perf_counter()
        clf.predict_proba(sample)
        seconds.append(time.perf_counter() - start)
    # 1.5 ms where a core is free; the best of them, as others may have the cores
    assert min(seconds) < 0.004
