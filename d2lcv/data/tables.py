"""Lists and tables on disk: the one reader of text, and the one of CSV files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["read_lines", "read_table", "read_text", "refuse"]


def read_text(path: Path, expected: str) -> str:
    """A file's text, UTF-8 with or without a mark at its start.

    Raises:
        FileNotFoundError: there is no such file; the message says what is expected.
        IsADirectoryError: it is a folder.
        ValueError: it is not UTF-8.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a file, {expected}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; expected {expected}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not text in UTF-8 ({error}); save it so: expected {expected}"
        ) from error
    if "\0" in text:
        raise ValueError(f"{path} is not text in UTF-8; expected {expected}")
    return text


def read_lines(path: Path, expected: str) -> list[str]:
    """The lines of a text file, without blank ones and spaces about them.

    Raises:
        FileNotFoundError: there is no such file; the message says what is expected.
        ValueError: it is not UTF-8.
    """
    lines = read_text(path, expected).splitlines()
    return [line.strip() for line in lines if line.strip()]


def read_table(path: Path, expected: str) -> DataFrame:
    """A CSV file with a header: columns of text; the index has the lines of the file.

    Blank lines are left out, and spaces about values. What a row lacks is empty.

    Raises:
        FileNotFoundError: there is no such file; the message says what is expected.
        ValueError: it is not UTF-8, or a row has more values than the header.
    """
    import pandas as pd

    text = read_text(path, expected)
    if not text.strip():
        return pd.DataFrame()
    try:
        # Every line is a row, so that a row's number is that of its line
        table = pd.read_csv(
            io.StringIO(text),
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        said = str(error).partition("C error: ")[2].strip() or error
        raise ValueError(f"{path} is not a CSV file: {said}") from error
    table = table.apply(lambda column: column.str.strip())
    table.index += 1
    table.columns = table.iloc[0]
    table = table.iloc[1:]
    return table[(table != "").any(axis=1)]


def refuse(path: Path, rows: DataFrame, wrong: Series, expected: str) -> None:
    """Raise `ValueError` that names the first line that is `wrong`, if there is one."""
    if wrong.any():
        line = wrong.index[wrong.argmax()]
        raise ValueError(
            f"{path}, line {line}: expected {expected}, got {','.join(rows.loc[line])!r}"
        )
