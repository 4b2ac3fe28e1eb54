"""How Sphinx builds these pages: `make docs`, into build/site."""

# Autodoc imports what is not there yet with TYPE_CHECKING set, which LangGraph does not outlive.
import synth.agents
import synth.engine.session  # noqa: F401

project = "synth"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinxcontrib.mermaid", "sphinx_copybutton"]
html_theme = "furo"
html_title = "synth"
html_show_copyright = False
exclude_patterns = ["samples"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
autodoc_typehints = "signature"
autodoc_default_options = {"exclude-members": "__new__, model_config"}
default_role = "code"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
python_use_unqualified_type_names = True
# Links out of this folder; the tests check that they lead somewhere.
suppress_warnings = ["myst.xref_missing"]
