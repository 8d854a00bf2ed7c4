import subprocess
import sys
import threading

import pytest
import torch

from simulators.side_by_side import each

_IMAGES = """
import hashlib, sys
import torch
torch.set_num_threads(int(sys.argv[1]))
from simulators.imager import Imager
from simulators.instruments import load_instrument
imager = Imager(load_instrument("anatomix"), "tiny", 1)
images = imager.microscope._compute(imager.nominal_angles_rad[:6])
print(hashlib.sha256(images.tobytes()).hexdigest())
"""


@pytest.fixture
def two_threads(one_thread):
    torch.set_num_threads(2)


def test_results_come_in_order_from_threads_of_one_each(two_threads):
    seen = each(lambda n: (n, torch.get_num_threads(), threading.get_ident()), range(40), device="cpu")
    assert [number for number, _, _ in seen] == list(range(40))
    assert {count for _, count, _ in seen} == {1}
    assert threading.get_ident() not in {thread for _, _, thread in seen}
    assert torch.get_num_threads() == 2
    elsewhere = []
    later = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert elsewhere == [2], "other threads of the process keep theirs"


def test_a_failure_is_raised_and_ends_the_rest(two_threads):
    begun = []

    def work(number):
        begun.append(number)
        if number == 0:
            raise RuntimeError("no image")
        threading.Event().wait(0.01)

    with pytest.raises(RuntimeError, match="no image"):
        each(work, range(1000), device="cpu")
    assert len(begun) < 1000
    assert torch.get_num_threads() == 2


def test_the_bits_of_an_image_do_not_depend_on_the_number_of_threads(tmp_path, monkeypatch):
    found = set()
    for threads in ("1", "2"):
        monkeypatch.setenv("SIMULATORS_CACHE", str(tmp_path / threads))
        command = [sys.executable, "-c", _IMAGES, threads]
        found.add(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1
