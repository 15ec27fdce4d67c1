"""Every Python snippet of the README and the docs runs, file by file in order."""

import pathlib
import re
import sys
import types

import gymnasium
import pytest

from minicosm.envs import registry
from minicosm.envs.nav import NavConfig, library

ROOT = pathlib.Path(__file__).parent.parent
FILES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_snippets_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("snippet")  # a real one, so that worlds of a page can be found by name
    monkeypatch.setitem(sys.modules, "snippet", module)
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))  # and are forgotten after it
    known = set(gymnasium.registry)
    names = vars(module)
    for number, snippet in enumerate(re.findall(r"^```python\n(.*?)^```", path.read_text(), flags=re.M | re.S)):
        exec(compile(snippet, f"{path.name}, snippet {number + 1}", "exec"), names)
    for name in set(gymnasium.registry) - known:
        del gymnasium.registry[name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_page_is_in_the_sites_list():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert {str(path.relative_to(ROOT / "docs")) for path in FILES if path.is_relative_to(ROOT / "docs")} == listed


def test_the_level_text_of_the_docs_is_a_level():
    (text,) = re.findall(r"^```\n(name:.*?)^```", (ROOT / "docs" / "nav.md").read_text(), flags=re.M | re.S)
    assert library.parse(text, "docs").to_level(NavConfig()).walls.shape == (11, 11)
