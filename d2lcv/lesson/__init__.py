"""The framework's code on the page: what a section teaches, as it runs.

`source` gives it, with what it needs; `page` puts it before a reader.
"""

from .page import show_source
from .reading import lesson_imports, source

__all__ = ["lesson_imports", "show_source", "source"]
