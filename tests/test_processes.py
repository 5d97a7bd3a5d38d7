import itertools
import os
import signal
import time

import pytest

from textclf import processes
from textclf.errors import ArtefactError, ResourceError


def double(number):
    time.sleep(0.05 if number % 5 == 0 else 0)
    return 2 * number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(number):
    raise ArtefactError("x.json is damaged")


def handler_of_ctrl_c(_):
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_results_come_in_order_and_no_item_is_read_too_early():
    read = []
    items = (read.append(number) or number for number in itertools.count())
    with processes.pool(2, imports="textclf.errors") as pool:
        results = processes.in_order(pool, double, items, ahead=4)
        for number in range(30):
            assert next(results) == 2 * number
            assert len(read) <= number + 4


def test_all_items_are_answered():
    with processes.pool(2, imports="textclf.errors") as pool:
        assert list(processes.in_order(pool, double, range(25), ahead=4)) == [2 * number for number in range(25)]
        assert list(processes.in_order(pool, double, [], ahead=4)) == []
        assert list(processes.in_order(pool, handler_of_ctrl_c, range(3), ahead=1)) == [True] * 3


def test_an_error_in_a_process_is_raised_here():
    with pytest.raises(ArtefactError, match=r"x\.json is damaged"), processes.pool(2, imports="textclf.errors") as pool:
        list(processes.in_order(pool, refuse, range(9), ahead=4))


def test_a_process_that_is_killed_is_named():
    with (
        pytest.raises(ResourceError, match=r"a process was killed.*--num-workers 1"),
        processes.pool(2, imports="textclf.errors") as pool,
    ):
        list(processes.in_order(pool, die, range(9), ahead=4))
