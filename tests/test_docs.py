"""Every Python snippet of the README and the docs runs, file by file in order; every command in them can be read."""

import contextlib
import functools
import pathlib
import re
import shlex
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


def commands_of(text):
    """The lines of blocks without a language, or of a console's, that call `minicosm`, without what explains them."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.M | re.S):
        for line in re.findall(r"^(?:\$ )?minicosm (.*)", block, flags=re.M) if language in ("", "console") else ():
            if "|" not in line:
                yield shlex.split(re.split(r" {2,}| #", line)[0])


class WasRead(Exception):
    """Instead of doing what a command asks for."""


def only_read(command):
    """Of the same arguments as `command`."""

    @functools.wraps(command)
    def stop(*args, **kwargs):
        raise WasRead

    return stop


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_read(path, monkeypatch, capsys):
    pytest.importorskip("tyro")
    from minicosm import commands
    from minicosm.commands import training
    from minicosm.studio import commands as of_studio

    monkeypatch.setattr(commands, "_COMMANDS", {name: only_read(c) for name, c in commands._COMMANDS.items()})
    monkeypatch.setattr(commands, "_STUDIES", {name: only_read(c) for name, c in commands._STUDIES.items()})
    monkeypatch.setattr(training.distributed, "joined", contextlib.nullcontext)
    monkeypatch.setattr(training, "_trained", only_read(training._trained))
    for name in ("edit", "play", "watch"):
        monkeypatch.setattr(of_studio, name, only_read(getattr(of_studio, name)))
    for name, *arguments in commands_of(path.read_text()):
        with contextlib.suppress(SystemExit):
            with pytest.raises(WasRead):
                commands.run(name, arguments)
            continue
        pytest.fail(f"minicosm {shlex.join([name, *arguments])}\n{capsys.readouterr().err}")


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
