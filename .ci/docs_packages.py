"""Print the packages of the extra `docs`: the site is built from sources and docstrings, without what they import."""

import pathlib
import re

TEXT = (pathlib.Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")


def main() -> None:
    """Read the one line of pyproject.toml; Python 3.10 has no reader of TOML."""
    (line,) = re.findall(r"^docs = \[(.*)\]$", TEXT, flags=re.M)
    print("\n".join(re.findall(r'"([^"]+)"', line)))


if __name__ == "__main__":
    main()
