"""Build the sdist and, from it, the wheel; install the wheel in a clean environment, and run the demo elsewhere.

Takes a few minutes and an index of packages: `make release-check` before a release, and not at every change.
"""

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import venv

ROOT = pathlib.Path(__file__).parent.parent
IN_SDIST = ("minicosm/kernels/src/simd.h", "minicosm/py.typed", "LICENSE", "README.md", "setup.py")
WRITTEN = ("nav.gif", "learning_curve.png")


def run(*command: object, cwd: pathlib.Path) -> str:
    """What a command prints. Ends the check where it fails."""
    print("$", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nfailed with status {done.returncode}: {' '.join(str(word) for word in command)}")
    return done.stdout


def require(ok: bool, message: str) -> None:
    """End the check with `message` unless `ok`."""
    if not ok:
        sys.exit(message)


def build(folder: pathlib.Path, python: pathlib.Path) -> pathlib.Path:
    """The wheel, made from the sdist alone as an index would serve it."""
    run(python, "-m", "pip", "install", "--quiet", "build", cwd=folder)
    run(python, "-m", "build", "--sdist", "--outdir", folder / "dist", ROOT, cwd=folder)
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in IN_SDIST if name not in held]
    require(not missing, f"{sdist.name} lacks {', '.join(missing)}")
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "dist", sdist, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def check_versions(wheel: pathlib.Path) -> None:
    """The wheel, CITATION.cff and the changelog speak of one version."""
    version = wheel.name.split("-")[1]
    cited = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.M)
    require(cited == [version], f"CITATION.cff has version {cited}, the wheel {version}")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    require(version in changes, f"CHANGELOG.md does not speak of {version}")


def main() -> None:
    """Exit status 0 if the release works."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for made in ("building", "clean"):
            venv.create(folder / made, with_pip=True)
        wheel = build(folder, folder / "building/bin/python")
        check_versions(wheel)
        python = folder / "clean/bin/python"
        run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", f"{wheel}[demo]", cwd=folder)
        where = run(python, "-c", "import minicosm; print(minicosm.__file__)", cwd=folder).strip()
        require(where.startswith(str(folder)), f"the wheel is not what is imported: {where}")
        print(run(python, "-c", "from minicosm import kernels; print(kernels.why_not() or 'kernels run')", cwd=folder))
        run(folder / "clean/bin/minicosm", "demo", "--seconds", "5", "--out", folder / "demo", cwd=folder)
        missing = [file for file in WRITTEN if not (folder / "demo" / file).stat().st_size]
        require(not missing, f"the demo wrote nothing into {missing}")
        print(f"{wheel.name} works")


if __name__ == "__main__":
    main()
