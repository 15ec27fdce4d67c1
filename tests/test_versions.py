"""The oldest releases that are tested are the lower bounds that pyproject.toml states."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent
TESTED = ("", "train", "cli", "plot", "studio")  # "" is the core; extras that `make smoke-oldest` installs
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\d.]+)(; .+)?")


def stated():
    """Lower bounds by extra and package, read as text: Python 3.10 has no reader of TOML."""
    text = (ROOT / "pyproject.toml").read_text()
    core = re.search(r"^dependencies = \[(.*?)^\]", text, flags=re.M | re.S).group(1)
    section = re.search(r"^\[project.optional-dependencies\]\n(.*?)^\[", text, flags=re.M | re.S).group(1)
    lists = {"": core, **dict(re.findall(r"^([\w-]+) = \[(.*)\]$", section, flags=re.M))}
    bounds = {}
    for extra, listed in lists.items():
        for requirement in re.findall(r'"([^"]+)"', listed):
            found = REQUIREMENT.fullmatch(requirement)
            if found:
                bounds.setdefault(found.group(1).lower(), {})[extra] = found.group(2)
            else:
                assert requirement.startswith("minicosm["), f"{requirement} has no lower bound"
    return bounds


def pinned():
    lines = (ROOT / "constraints-oldest.txt").read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))


def release(version):
    """As numbers, since 1.1 and 1.1.0 are the same release."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def test_a_package_has_one_lower_bound():
    for package, bounds in stated().items():
        assert len(set(bounds.values())) == 1, f"{package}: {bounds}"


def test_the_oldest_releases_tested_are_the_lower_bounds():
    tested, bounds = pinned(), stated()
    for package, version in tested.items():
        if package != "jaxlib":  # comes with jax, in the same release
            (bound,) = set(bounds[package].values())
            assert release(version) == release(bound), f"{package}: {version} is tested, {bound} is the bound"
    assert tested["jaxlib"] == tested["jax"]


def test_every_lower_bound_of_the_core_and_the_common_extras_is_tested():
    wanted = {package for package, bounds in stated().items() if set(bounds) & set(TESTED)}
    assert wanted - set(pinned()) == set()
