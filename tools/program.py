"""A whole program in the active framework, from files on disk to a trained net.

    D2L_BACKEND=torch python tools/program.py ssd > ssd.py
    python ssd.py FOLDER

It needs the framework, NumPy, pandas, Pillow and safetensors, and not this package. It is
assembled from the code that the chapter shows, which is the code that runs; what no chapter
teaches, the options, the files and the order of the calls, stands in `tools/programs/`.
"""

import argparse
import ast
from pathlib import Path

from d2lcv.backends import backend
from d2lcv.lesson.reading import program

FOLDER = Path(__file__).with_name("programs")
PROGRAMS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def assembled(chapter):
    """The program of a chapter, as text."""
    text = (FOLDER / f"{chapter}.py").read_text(encoding="utf-8")
    title, rest = ast.get_docstring(ast.parse(text)).split(":", 1)
    head = f'"""{title} in {backend.entry.title}:{rest}\n"""\n\n'
    return (
        head
        + program(f"programs.{chapter}", "main")
        + ('\n\nif __name__ == "__main__":\n    main()\n')
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("chapter", choices=PROGRAMS)
    print(assembled(parser.parse_args().chapter), end="")


if __name__ == "__main__":
    main()
