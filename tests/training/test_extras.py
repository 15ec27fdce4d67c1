import subprocess
import sys
import textwrap

import pytest


def run_without(packages, program):
    """Standard output and errors of `program` in a process that lacks `packages`."""
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in packages)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{hidden}" + textwrap.dedent(program)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_films_need_no_nets():
    program = """
        import minicosm.training
        from minicosm.training.record import rollout
        assert "flax" not in {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
        sys.stdout.write("fine")
    """
    assert run_without(["flax", "optax", "orbax", "matplotlib", "rich"], program) == "fine"


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("flax", "train", "training.train(env, training.PPOConfig())"),
        ("optax", "train", "training.train(env, training.PPOConfig())"),
        (
            "orbax.checkpoint",
            "train",
            "from minicosm.training.checkpoint import save_state; save_state(Path('x'), None, 0)",
        ),
        ("scipy.stats", "train", "from minicosm.studies.statistics import iqm; iqm([1.0])"),
        ("rich", "cli", "training.ProgressBar(training.PPOConfig())"),
        ("matplotlib.figure", "plot", "training.plot_curves([training.CurvePoint(1, 1, 1.0, 1.0, {})], 'x.png')"),
    ],
)
def test_a_missing_extra_is_told(package, extra, use):
    program = f"""
        from pathlib import Path
        import minicosm
        from minicosm import training
        env = minicosm.make("nav", num_beams=8)
        try:
            {use}
        except ImportError as error:
            sys.stdout.write(str(error))
    """
    said = run_without([package], program)
    assert f'not installed: run pip install "minicosm[{extra}]"' in said
