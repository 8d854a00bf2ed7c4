import threading

import numpy as np
import pytest
import torch

from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.side_by_side import each


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


def test_the_bits_of_an_image_do_not_depend_on_the_number_of_threads(one_thread, tmp_path, monkeypatch):
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        monkeypatch.setenv("SIMULATORS_CACHE", str(tmp_path / str(threads)))
        imager = Imager(load_instrument("anatomix"), "tiny", 1)
        found.append(imager.microscope._compute(imager.nominal_angles_rad[:40]))
    assert found[0].astype(np.float32).std() > 0.1
    assert np.array_equal(*found)
