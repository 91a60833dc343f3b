"""Sphinx settings of the site; `tools/render.py` runs it."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "d2lcv"
html_title = "d2lcv"
copyright = "the d2lcv authors; text and code Apache-2.0"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # reference.py
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "frameworks",
]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_type_aliases = {name: name for name in ("Module", "Tensor")}
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 110

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath", "strikethrough"]
# In a notebook's Markdown these are ordinary text
myst_disable_syntax = [
    "myst_line_comment",
    "myst_block_break",
    "myst_target",
    "myst_role",
]
myst_dmath_allow_labels = False
myst_dmath_double_inline = True  # $$…$$ within a paragraph, too
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "myst.strikethrough"]

html_theme = "furo"
html_static_path = ["static"]
html_favicon = html_logo = "static/favicon.svg"
templates_path = ["templates"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
pygments_style = "github-light-high-contrast"
pygments_dark_style = "github-dark"
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-brand-primary": "#0b5cad",
        "color-brand-content": "#0b5cad",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cb7ff",
        "color-brand-content": "#7cb7ff",
    },
}
copybutton_selector = "div.highlight pre"

# The site's own copy of MathJax: it is read without a network
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}
_package = importlib.util.find_spec("sphinx-mathjax-offline")
MATHJAX = Path(_package.origin).parent / "static" / "mathjax"
