"""All checks, one environment per framework: `nox`; one of them: `nox -s tests_paddle`."""

import os
import runpy

import nox

# tests start many processes, which would translate the frameworks' source each
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

# read, not imported: the environment of nox has nothing of the package
REGISTRY = runpy.run_path("d2lcv/backends/__init__.py")["REGISTRY"]
CONSTRAINED = ("-c", "constraints.txt")
# What no framework has a part in is tested once, where none is installed
WITHOUT_FRAMEWORK = [
    f"tests/{part}.py"
    for part in """
        data/test_boxes data/test_hub datasets/test_kaggle drawn/test_scene
        drawn/test_synthetic drawn/test_synthetic_sets proof/test_oracle tools/test_docs
    """.split()
]
TYPES = "tests/grid/test_types.py"  # needs the type checker

# a process for each core; groups share what they have made (tests/conftest.py), and the
# longest, which are the chapters, stand first
SPREAD = ["--numprocesses=auto", "--dist=loadgroup", "--no-loadscope-reorder"]
# of a process that dies the tests fail; with another in its place the end is never reached
SPREAD.append("--max-worker-restart=0")


@nox.session
def lint(session):
    """Style and format."""
    session.install("ruff", *CONSTRAINED)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session):
    """Types: of the package, and what a reader's checker knows of its public names."""
    session.install("-e", ".[test,types]", *CONSTRAINED)
    session.run("mypy")
    session.run("python", "-m", "pytest", TYPES)


@nox.session
def tests_core(session):
    """What needs no framework: data, drawing, the oracle."""
    session.install("-e", ".[test]", *CONSTRAINED)
    session.run(
        "python", "-m", "pytest", *(session.posargs or WITHOUT_FRAMEWORK + SPREAD)
    )


def _tests(backend):
    @nox.session(name=f"tests_{backend}")
    def tests(session):
        question = "import sys; print('%d.%d' % sys.version_info[:2])"
        python = session.run("python", "-c", question, silent=True).strip()
        entry = REGISTRY[backend]
        if python not in entry.pythons:
            session.skip(f"{entry.title} runs on Python {', '.join(entry.pythons)}")
        session.install("-e", f".[{backend},test]", *CONSTRAINED)
        # one thread: small operations in two are slower on small machines
        env = {"D2L_BACKEND": backend, "OMP_NUM_THREADS": "1"}
        others = [f"--ignore={path}" for path in (*WITHOUT_FRAMEWORK, TYPES)] + SPREAD
        if backend != next(iter(REGISTRY)):
            others += ["-m", "not matrix and not once"]
        session.run("python", "-m", "pytest", *(session.posargs or others), env=env)

    tests.__doc__ = f"The tests on {backend}, in an environment with nothing else."
    return tests


for _backend in REGISTRY:
    _tests(_backend)


@nox.session(default=False)
def matrix(session):
    """Every case on every backend, all pairs compared, in one environment of all four."""
    session.install("-e", ".[all,test]", *CONSTRAINED)
    session.run("python", "-m", "pytest", "-m", "matrix", *session.posargs)


@nox.session(default=False)
def site(session):
    """Notebooks of all chapters on all backends, the site, and a browser's look at it.

    Options are those of tools/render.py: `nox -s site -- --no-execute`.
    """
    session.install("-e", ".[all,site,test]", *CONSTRAINED)
    for backend in REGISTRY:
        env = {"D2L_BACKEND": backend, "OMP_NUM_THREADS": "1"}
        session.run("python", "-m", "pytest", "tests/tools/test_render.py", env=env)
    session.run("python", "-m", "pytest", "tests/tools/test_site.py")
    render = ["tools/render.py", "--exercises", *session.posargs]
    session.run("python", *render, env={"OMP_NUM_THREADS": "1"})
    session.run("python", "tools/check_site.py")


@nox.session(default=False)
def fuzz(session):
    """Wrong arguments for every public function: `nox -s fuzz -- --calls 100000`."""
    session.install("-e", ".[all,test]", *CONSTRAINED)
    for backend in REGISTRY:
        env = {"D2L_BACKEND": backend, "OMP_NUM_THREADS": "1"}
        session.run("python", "tests/topics/contract.py", *session.posargs, env=env)


@nox.session(default=False)
def bench(session):
    """The package against plain loops, on all backends."""
    session.install("-e", ".[all]", *CONSTRAINED)
    session.run("python", "tools/bench.py", *session.posargs)
