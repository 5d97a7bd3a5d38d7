import signal
import threading

import pytest

from textclf.errors import InterruptedRunError, TerminatedRunError
from textclf.system.signals import Interrupt

ERRORS = [(signal.SIGINT, InterruptedRunError, 130), (signal.SIGTERM, TerminatedRunError, 143)]
BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _restore_handlers():
    """Restore the handlers of the test run after each test."""
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_without_a_signal_all_batches_pass():
    with Interrupt("resume") as interrupt:
        assert list(interrupt.between_steps("abc")) == ["a", "b", "c"]


@pytest.mark.parametrize(("number", "error", "exit_code"), ERRORS)
def test_a_signal_ends_the_run_after_the_current_step(number, error, exit_code):
    steps = []

    def train(batches):
        for batch in batches:
            if batch == "b":
                signal.raise_signal(number)
            steps.append(batch)

    saved = []
    with Interrupt("resume it: textclf train --resume x") as interrupt, pytest.raises(error) as caught:
        train(interrupt.between_steps("abcd", save=lambda: saved.append(len(steps))))
    assert steps == ["a", "b"]
    assert saved == [2]
    assert str(caught.value) == "stopped; resume it: textclf train --resume x"
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize(("number", "error", "exit_code"), ERRORS)
def test_a_signal_between_two_epochs_ends_the_run_before_the_next_step(number, error, exit_code):
    with Interrupt("") as interrupt:
        assert list(interrupt.between_steps("ab")) == ["a", "b"]
        signal.raise_signal(number)
        with pytest.raises(error):
            next(iter(interrupt.between_steps("ab")))


@pytest.mark.parametrize("number", BOTH)
def test_a_second_signal_ends_at_once(number):
    with Interrupt(""):
        assert signal.getsignal(number) not in (signal.SIG_DFL, signal.default_int_handler)
        signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize("raised", [None, ValueError])
@pytest.mark.parametrize("sent", [None, *BOTH])
def test_the_previous_handlers_are_restored(raised, sent):
    mine = {number: lambda *_: None for number in BOTH}
    for number, handler in mine.items():
        signal.signal(number, handler)
    try:
        with Interrupt(""):
            if sent:
                signal.raise_signal(sent)
            if raised:
                raise raised
    except ValueError:
        pass
    assert {number: signal.getsignal(number) for number in BOTH} == mine


def test_training_in_a_thread_leaves_the_signals_to_the_main_thread():
    """Only a main thread may handle signals; notebooks and servers train in another."""
    before = {number: signal.getsignal(number) for number in BOTH}
    seen = []

    def enter():
        with Interrupt("") as interrupt:
            seen.extend(interrupt.between_steps("ab"))

    thread = threading.Thread(target=enter)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(threading, "excepthook", lambda failure: seen.append(failure.exc_value))
        thread.start()
        thread.join()
    assert seen == ["a", "b"]
    assert {number: signal.getsignal(number) for number in BOTH} == before


def test_a_run_of_several_processes_stops_for_the_signal_that_they_agree_on():
    given = []

    def agree(received):
        given.append(received)
        return signal.SIGTERM if len(given) == 3 else 0

    def train(batches):
        for batch in batches:
            if batch == "a":
                signal.raise_signal(signal.SIGINT)

    with Interrupt("resume", agree=agree) as interrupt, pytest.raises(TerminatedRunError, match="stopped; resume"):
        train(interrupt.between_steps("abcd"))
    assert given == [0, signal.SIGINT, signal.SIGINT]
