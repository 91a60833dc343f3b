"""Every case on the active backend, and proof that a wrong answer would be seen."""

import numpy as np
import pytest

from d2lcv.proof import cases
from d2lcv.proof.case import Case, compare
from d2lcv.proof.case import case as new_case
from d2lcv.proof.inputs import check_assignment, check_nms, check_rivals, uniform


@pytest.mark.parametrize(
    "case",
    [case for case in cases.ALL if case.has_answer],
    ids=lambda case: f"{case.topic}-{case.name}",
)
def test_case(case, d2l):
    compare(case(d2l), case.expected(), case)


# --- the cases themselves ---------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize(
    "case", [c for c in cases.ALL if c.check], ids=lambda case: case.name
)
def test_inputs_keep_their_distance(case):
    case.check()


def test_random_inputs_are_the_same_everywhere():
    numbers = uniform(123, 4)
    expected = [0.6823518632481435, 0.053821018802222675, 0.22035987277261138]
    np.testing.assert_array_equal(numbers[:3], expected)


@pytest.mark.once
def test_expected_values_are_finite_numbers():
    for case in cases.ALL:
        assert bool(case.expected()) == case.has_answer, case.name
        for key, value in case.expected().items():
            assert value.dtype.kind in "biuf", (case.name, key)
            assert np.isfinite(value).all(), (case.name, key)
            assert key not in case.exact or not (value % 1).any(), (case.name, key)


@pytest.mark.once
def test_names_are_unique_and_options_refer_to_outputs():
    assert len(cases.ALL) == len(cases.by_name)
    for case in cases.ALL:
        assert cases.by_name[case.name] is case
        if case.has_answer:
            assert set(case.exact) <= case.expected().keys(), case.name


@pytest.mark.once
def test_checks_see_inputs_that_are_too_near():
    near = [[0, 0, 1, 1], [0, 0, 1, 0.5 + 1e-7]]
    for check in (
        lambda: check_assignment([near[0]], [near[1]]),
        lambda: (
            check_assignment(near, [[0, 0, 1, 0.75], [2, 2, 3, 3]], 1.0)
            or check_rivals([0.5, 0.5 + 1e-7])
        ),
        lambda: check_nms(np.array(near), [0.5, 0.25], 0.5),
    ):
        with pytest.raises(ValueError, match=r"lies|behind"):
            check()


# --- a comparison that cannot fail would prove nothing ----------------------------


CASE = Case(
    name="example",
    topic="tests",
    run=lambda d2l: {},
    expect=lambda: {
        "box": np.array([[0.0, 1.0], [2.0, 3.0]]),
        "class": np.array([1.0, -1.0]),
        "kept": np.array([3, 1, 2]),
    },
    exact=("class",),
)


def answer(**changed):
    right = {key: value.copy() for key, value in CASE.expected().items()}
    return right | changed


def refused(actual, match, case=CASE):
    with pytest.raises(AssertionError, match=match):
        compare(actual, CASE.expected(), case)


@pytest.mark.once
def test_compare_accepts_what_is_near():
    near = CASE.expected()["box"] + 0.9e-5
    differences = compare(answer(box=np.float32(near)), CASE.expected(), CASE)
    assert differences["box"] == pytest.approx(0.9e-5, rel=0.05)
    assert differences["kept"] == 0
    compare(answer(kept=np.array([3, 1, 2], np.int32)), CASE.expected(), CASE)


@pytest.mark.once
def test_compare_refuses_a_wrong_value_and_says_where():
    wrong = CASE.expected()["box"].copy()
    wrong[1, 0] += 1.1e-5
    refused(answer(box=wrong), r"example: box\[1, 0\]: .*2\.00001.* instead of .*2\.0")
    wrong[0, 1] = 7
    refused(answer(box=wrong), r"example: box\[0, 1\]: .*7\.0.*2 of 4 elements")


@pytest.mark.once
def test_compare_refuses_inexact_whole_numbers_and_orders():
    refused(answer(**{"class": np.array([1.0, -1.000001])}), r"class\[1\]")
    refused(answer(kept=np.array([3, 2, 1])), r"kept\[1\]")


@pytest.mark.once
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_compare_refuses_what_is_not_finite(value):
    wrong = CASE.expected()["box"].copy()
    wrong[0, 0] = value
    refused(answer(box=wrong), r"box\[0, 0\]")
    right = answer()
    with pytest.raises(AssertionError, match=r"box\[0, 0\]"):
        compare(right, answer(box=wrong), CASE)
    with pytest.raises(AssertionError, match=r"box\[0, 0\]"):
        compare(answer(box=wrong), answer(box=wrong), CASE)


@pytest.mark.once
def test_compare_refuses_wrong_shapes_even_of_the_same_values():
    refused(answer(box=np.zeros((4, 1))), r"shape \(4, 1\) instead of \(2, 2\)")
    refused(answer(box=np.zeros((0, 2))), "shape")
    refused(answer(kept=np.array([[3, 1, 2]])), "shape")


@pytest.mark.once
def test_compare_refuses_wrong_kinds():
    refused(answer(kept=np.array([3.0, 1.0, 2.0])), "float64 instead of integer")
    refused(answer(box=np.array([[0, 1], [2, 3]])), "int64 instead of float")
    refused(answer(kept=np.array([True, True, True])), "bool instead of integer")


@pytest.mark.once
def test_compare_refuses_missing_and_extra_keys():
    actual = answer()
    del actual["kept"]
    refused(actual, r"keys \['box', 'class'\]")
    refused(answer(extra=np.zeros(1)), "extra")
    refused({}, "keys")


@pytest.mark.once
def test_difference_of_nothing_is_zero():
    empty = {"box": np.zeros((0, 4))}
    assert compare(empty, empty, CASE) == {"box": 0.0}


@pytest.mark.once
def test_a_name_twice_exception():
    with pytest.raises(ValueError, match="two cases"):
        new_case("tests", dict, name="worked_box_iou")(lambda d2l: {})
