"""The matrix over all installed backends, and proof that it sees a fault."""

import json
import pathlib

import pytest
from conftest import require_framework

from d2lcv.backends import REGISTRY, backend_name, installed
from d2lcv.proof import cases, matrix
from d2lcv.proof.case import compare

require_framework()

pytestmark = pytest.mark.once

HERE = pathlib.Path(__file__).parent

FAULTS = {
    "suppresses_on_the_threshold": ("detection", "nms"),
    "swaps_the_anchors_of_a_pixel": ("anchors", "prior"),
}


def names_of(topic, part):
    return [c.name for c in cases.ALL if c.topic == topic and part in c.name]


def column(fault=None, **options):
    sabotage = fault and f"{HERE / 'sabotage.py'}:{fault}"
    return matrix.Column(backend_name(), sabotage=sabotage, **options)


@pytest.fixture(scope="module")
def honest():
    answers = column()
    answers.run([n for key in FAULTS.values() for n in names_of(*key)])
    return answers


@pytest.fixture(scope="module", params=FAULTS)
def broken(request):
    answers = column(request.param, name="broken")
    names = names_of(*FAULTS[request.param])
    answers.run(names)
    return answers, names


def test_matrix_sees_a_fault(honest, broken):
    answers, names = broken
    rows = matrix.compare([honest, answers], names)
    assert not answers.failures
    breaches = [breach for row in rows for breach in row.breaches]
    assert breaches
    # named: the pair, the case, the element and both values
    assert all(f"{honest.name}–broken" in breach for breach in breaches)
    assert all(any(name in breach for name in names) for breach in breaches)
    assert any(" instead of " in breach for breach in breaches)


def test_own_tests_see_the_fault_too(broken):
    answers, names = broken
    failed = 0
    for name in names:
        try:
            compare(answers.answers[name], cases.by_name[name].expected(),
                          cases.by_name[name])  # fmt: skip
        except AssertionError:
            failed += 1
    assert failed


def test_matrix_passes_what_is_equal(honest):
    names = list(honest.answers)
    again = matrix.Column(honest.backend, name="again", answers=dict(honest.answers))
    rows = matrix.compare([honest, again], names)
    assert [row.breaches for row in rows] == [[] for _ in names]
    assert {v for row in rows for v in row.differences.values()} == {0.0}


def test_a_crash_fails_its_case_and_no_other():
    crashing = names_of("anchors", "prior")[:1]
    names = crashing + names_of("boxes", "boxes_")[:2]
    dying = column("dies", name="dying")
    dying.run(names)
    assert list(dying.failures) == crashing
    assert set(dying.answers) == set(names[1:])
    (row, *_) = matrix.compare([dying], names)
    assert row.breaches and "died" in row.breaches[0]


def test_command_line_fails_on_a_breach(monkeypatch, tmp_path, capsys):
    one, same, other, *_ = REGISTRY

    def run(self, names):
        self.answers = {n: cases.by_name[n].expected() for n in names}
        if self.backend == other:
            self.answers = {
                n: {k: v + 1 for k, v in a.items()} for n, a in self.answers.items()
            }

    monkeypatch.setattr(matrix.Column, "run", run)
    name = names_of("boxes", "many")[0]
    out = tmp_path / "table.json"
    arguments = ["--case", name, "--json", str(out), "--html", str(tmp_path / "t.html")]
    assert matrix.main(["--backend", one, same, *arguments]) == 0
    assert matrix.main(["--backend", one, other, *arguments]) == 1
    assert f"BREACH {one}–{other}: {name}" in capsys.readouterr().out
    assert json.loads(out.read_text())[0]["breaches"]
    assert 'class="breach"' in (tmp_path / "t.html").read_text()


@pytest.mark.matrix
def test_all_installed_backends_agree():
    if len(installed()) < 2:
        pytest.skip("only one framework is installed: there is no pair to compare")
    names = list(matrix.all_cases())
    columns = [matrix.Column(name) for name in installed()]
    for answers in columns:
        answers.run(names)
        assert not answers.failures
    breaches = [b for row in matrix.compare(columns, names) for b in row.breaches]
    assert not breaches, "\n".join(breaches)
