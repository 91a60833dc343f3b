"""The promise of errors, held for every public function (`contract.py` makes the calls)."""

import contract
import pytest

CALLS = 200


def test_every_public_name_has_an_entry(d2l, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    covered = set(contract.entries(d2l, tmp_path)) | contract.VALUES | contract.RESULTS
    missing = contract.public_names() - covered
    assert not missing, f"no entry in tests/topics/contract.py: {sorted(missing)}"


@pytest.fixture(scope="module")
def found(d2l):
    return contract.run(CALLS)


def test_wrong_arguments_end_in_named_errors(found):
    broken = contract.broken(found)
    assert len(found) >= CALLS - 1
    assert not broken, "\n".join(
        f"{n}({a} = {how}): {what}" for n, a, how, what in broken
    )


def test_a_death_and_an_unnamed_error_are_seen():
    """The judge itself: it must not call everything right."""
    calls = [
        ("a", "x", "0", "ends the process (-11)"),
        ("a", "x", "1", "KeyError in f.py: 1"),
        ("a", "x", "2", "value"),
        ("a", "x", "3", "error"),
    ]
    assert contract.broken(calls) == calls[:2]
