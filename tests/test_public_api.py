"""The public names, what importing costs, and every example that is printed somewhere."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import meseta

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "src" / "meseta").rglob("*.py"))
}
MODULES = [name for name in SOURCES if not name.endswith("__main__")]
WITH_EXAMPLES = [name for name in MODULES if ">>> " in SOURCES[name].read_text(encoding="utf-8")]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEAVY = {
    "arch", "filelock", "jinja2", "llvmlite", "numba", "numpy", "pandas", "plotly", "polars",
    "optuna", "pyarrow", "pydantic", "rich", "scipy", "sklearn", "sqlalchemy", "typer", "yaml",
}  # fmt: skip
EXAMPLES = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    for number, block in enumerate(FENCED.findall(path.read_text(encoding="utf-8")))
]


def loaded_by(code):
    """Top-level modules that a fresh process has loaded after `code`."""
    script = f"import json, sys; {code}; print(json.dumps(sorted(sys.modules)))"
    made = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.partition(".")[0] for name in json.loads(made.stdout)}


def test_import_is_light():
    found = loaded_by("import meseta")
    assert "meseta" in found
    assert not found & HEAVY


def test_light_names_stay_light():
    found = loaded_by("import meseta; meseta.Account(), meseta.ArgumentError, dir(meseta)")
    assert not found & HEAVY


def test_every_public_name_is_there():
    assert sorted(meseta.__all__) == sorted(set(meseta.__all__))
    for name in meseta.__all__:
        assert getattr(meseta, name) is not None
        assert name in dir(meseta)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        meseta.nonsense  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_what_it_lists(name):
    if name == "meseta.confirm._nautilus":
        pytest.importorskip("nautilus_trader", reason="needs the extra `nautilus`")
    module = importlib.import_module(name)
    assert module.__doc__
    for each in getattr(module, "__all__", ()):
        assert hasattr(module, each), each


def test_public_callables_are_documented():
    for name in meseta.__all__:
        doc = getattr(meseta, name).__doc__
        assert doc, name
        assert not doc.startswith(f"{name}("), f"{name} has only a generated docstring"


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESETA_HOME", str(tmp_path))
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0


def test_the_api_has_examples():
    assert "meseta.api" in WITH_EXAMPLES


@pytest.mark.parametrize("block", EXAMPLES)
def test_examples_in_pages_run(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESETA_HOME", str(tmp_path))
    exec(compile(ast.parse(block), "<example>", "exec"), {"__name__": "example"})
    if "print(" in block:
        assert capsys.readouterr().out


def test_the_readme_has_an_example():
    assert any("README" in each.id for each in EXAMPLES)
