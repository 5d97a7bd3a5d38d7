import signal

import pytest

from textclf import TextclfError
from textclf.errors import DataError, DivergedError, InterruptedRunError, ResourceError, TerminatedRunError, UsageError
from textclf.estimator.failures import InputError, ParameterError, UnsupportedError, as_of_scikit_learn


@pytest.mark.parametrize(("raised", "expected"), [(DataError, InputError), (UsageError, ParameterError)])
def test_errors_are_what_callers_of_both_libraries_catch(raised, expected):
    with pytest.raises(ValueError, match=r"^what is wrong$") as caught, as_of_scikit_learn():
        raise raised("what is wrong")
    assert type(caught.value) is expected
    assert isinstance(caught.value, TextclfError)
    assert caught.value.exit_code == raised.exit_code


def test_a_signal_has_the_effect_that_it_had_before():
    with pytest.raises(KeyboardInterrupt), as_of_scikit_learn():
        raise InterruptedRunError("stopped")
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    try:
        with pytest.raises(SystemExit) as caught, as_of_scikit_learn():
            raise TerminatedRunError("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (received, caught.value.code) == ([signal.SIGTERM], 143)


def test_other_errors_keep_their_type():
    for error in (DivergedError("x"), ZeroDivisionError("x"), InputError("x"), ParameterError("x")):
        with pytest.raises(type(error), match=r"^x$"), as_of_scikit_learn():
            raise error


def test_options_of_the_command_line_become_parameters():
    with pytest.raises(InputError, match=r"^too few \(2\); give more texts$"), as_of_scikit_learn():
        raise DataError("documents: too few (2): add --validation FILE")
    with pytest.raises(ResourceError, match=r"^out of memory; try batch_size 8$"), as_of_scikit_learn():
        raise ResourceError("out of memory; try --batch-size 8")


def test_a_method_that_is_refused_is_not_there():
    assert issubclass(UnsupportedError, AttributeError)
