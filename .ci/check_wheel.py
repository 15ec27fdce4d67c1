"""Build the wheel into a folder; check that it holds every tracked file of the package, the kernels and the command.

python .ci/check_wheel.py build/wheel
"""

import pathlib
import shutil
import subprocess
import sys
import zipfile


def main() -> int:
    """Exit status 1 and a list when a file is missing."""
    root = pathlib.Path(__file__).parent.parent
    tracked = subprocess.run(
        ["git", "ls-files", "minicosm"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split()
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(root)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (entry_points,) = (name for name in held if name.endswith("entry_points.txt"))
        command = b"minicosm = minicosm.cli:main" in archive.read(entry_points)
    missing = sorted(set(tracked) - held)
    for name in missing:
        print(f"not in the wheel: {name}")
    native = "minicosm/kernels/_native.so" in held or not shutil.which("g++")
    if not native:
        print("a compiler is here, but the wheel has no native kernels: python setup.py build_ext --inplace says why")
    if not command:
        print("the wheel does not install the `minicosm` command")
    print(f"wheel: {len(tracked) - len(missing)} of {len(tracked)} tracked package files")
    return 1 if missing or not command or not native else 0


if __name__ == "__main__":
    sys.exit(main())
