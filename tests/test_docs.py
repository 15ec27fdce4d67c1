"""Every Python snippet of the README and the docs runs, file by file in order."""

import pathlib
import re

import pytest

from minicosm.envs.nav import NavConfig, library

ROOT = pathlib.Path(__file__).parent.parent
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_snippets_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "snippet"}
    for number, snippet in enumerate(re.findall(r"^```python\n(.*?)^```", path.read_text(), flags=re.M | re.S)):
        exec(compile(snippet, f"{path.name}, snippet {number + 1}", "exec"), names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_level_text_of_the_docs_is_a_level():
    (text,) = re.findall(r"^```\n(name:.*?)^```", (ROOT / "docs" / "nav.md").read_text(), flags=re.M | re.S)
    assert library.parse(text, "docs").to_level(NavConfig()).walls.shape == (11, 11)
