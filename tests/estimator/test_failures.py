import pytest

from textclf import TextclfError
from textclf.errors import DataError, DivergedError, InterruptedRunError, TerminatedRunError, UsageError
from textclf.estimator.failures import InputError, ParameterError, UnsupportedError, as_of_scikit_learn


@pytest.mark.parametrize(("raised", "expected"), [(DataError, InputError), (UsageError, ParameterError)])
def test_errors_are_what_callers_of_both_libraries_catch(raised, expected):
    with pytest.raises(ValueError, match=r"^what is wrong$") as caught, as_of_scikit_learn():
        raise raised("what is wrong")
    assert type(caught.value) is expected
    assert isinstance(caught.value, TextclfError)
    assert caught.value.exit_code == raised.exit_code


def test_a_search_over_parameters_ends_at_ctrl_c():
    with pytest.raises(KeyboardInterrupt), as_of_scikit_learn():
        raise InterruptedRunError("stopped")
    with pytest.raises(SystemExit) as caught, as_of_scikit_learn():
        raise TerminatedRunError("stopped")
    assert caught.value.code == 143


def test_other_errors_stay_as_they_are():
    for error in (DivergedError("x"), ZeroDivisionError("x"), InputError("x"), ParameterError("x")):
        with pytest.raises(type(error)) as caught, as_of_scikit_learn():
            raise error
        assert caught.value is error


def test_options_of_the_command_line_are_not_recommended():
    with pytest.raises(InputError, match=r"^too few \(2\); give more texts$"), as_of_scikit_learn():
        raise DataError("pairs: too few (2): add --validation FILE")


def test_a_method_that_is_refused_is_not_there():
    assert issubclass(UnsupportedError, AttributeError)
