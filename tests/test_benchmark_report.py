"""The page of benchmarks says what the files of results say."""

import json
import pathlib
import re
import sys

import jax
import jax.numpy as jnp
import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def report():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import report

        yield report
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def write(folder, machine, name, **content):
    path = folder / machine / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": {"processor": machine.upper(), "cores": 2}, "commit": "abc", **content}))


def speeds(ours, theirs):
    return {
        "minicosm": {"env_steps_per_s": ours, "env_steps_per_cpu_s": ours, "compile_s": 4.2},
        "peer": {"env_steps_per_s": theirs, "env_steps_per_cpu_s": 2 * theirs, "compile_s": 8},
    }


def test_the_committed_page_is_what_the_files_give(report):
    made = report.page(report.read_all(report.RESULTS))
    assert report.PAGE.read_text(encoding="utf-8") == made, "run make report, and commit what it writes"
    for image in re.findall(r"\]\((images/[^)]+)\)", made):
        assert (report.PAGE.parent / image).exists(), f"{image} is missing: run make report"


def test_rates_ratios_and_settings_come_from_the_file(report, tmp_path):
    rows = [
        {"robots": 3, "batch": 64, "ratio": 2.0, **speeds(2000, 1000)},
        {"robots": 3, "batch": 128, **speeds(10, 40)},
    ]
    write(tmp_path, "here", "nav_throughput", rows=rows)
    text = report.page(report.read_all(tmp_path))
    assert "| robots | worlds | minicosm | peer | over peer (per CPU) | compile, s |" in text
    assert "| 3 | 64 | 2.00 k | 1.00 k | 2.0x (1.0x) | 4 / 8 |" in text
    assert "| 3 | 128 | 10 | 40 | 0.25x (0.12x) | 4 / 8 |" in text


def test_peak_memory_is_shown_where_it_was_measured(report, tmp_path):
    row = {"batch": 16, **speeds(9, 3), "other": {"env_steps_per_s": 1.0}}
    row["minicosm"]["peak_memory_mib"], row["peer"]["peak_memory_mib"] = 1503.4, 39.7
    write(tmp_path, "here", "cpu_peers_vmas", rows=[row])
    text = report.page(report.read_all(tmp_path))
    assert (
        "| worlds | implementation | env-steps/s | minicosm over it (per CPU) | compile, s | peak memory, MiB |" in text
    )
    assert "| 16 | minicosm | 9 |  | 4 | 1,503 |\n|  | peer | 3 | 3.0x (1.5x) | 8 | 40 |\n" in text
    assert "|  | other | 1 | 9.0x | – | – |" in text
    del row["other"]
    write(tmp_path, "here", "cpu_peers_vmas", rows=[row])
    text = report.page(report.read_all(tmp_path))
    assert "| over peer (per CPU) | compile, s | peak memory, MiB |" in text
    assert "| 3.0x (1.5x) | 4 / 8 | 1,503 / 40 |" in text


def test_rows_of_another_commit_say_so(report, tmp_path):
    rows = [{"batch": 8, **speeds(9, 3)}, {"batch": 64, "commit": "old", **speeds(9, 3)}]
    write(tmp_path, "here", "nav_throughput", rows=rows)
    found = report.read_all(tmp_path)
    text = report.page(found)
    assert "| compile, s | commit |" in text and "| 4 / 8 | abc |" in text and "| 4 / 8 | old |" in text
    assert {label for label, _ in report.sweeps(found[0])} == set(), "a commit makes no line of its own"
    write(tmp_path, "here", "nav_throughput", rows=[{"batch": 8, "commit": "abc", **speeds(9, 3)}])
    assert "| commit |" not in report.page(report.read_all(tmp_path))


def test_measuring_some_rows_again_keeps_the_others(report, tmp_path):
    from keeping import write_rows

    path, settings = tmp_path / "results.json", ("size", "batch")
    write_rows(path, {"commit": "a", "kernels": "x"}, [{"size": "m", "batch": 1, "rate": 1}], settings)
    rows = [{"size": "s", "batch": batch, "rate": 2} for batch in (64, 1)]
    write_rows(path, {"commit": "b", "kernels": "x"}, rows, settings)
    write_rows(path, {"commit": "c", "kernels": "y"}, [{"size": "s", "batch": 64, "rate": 3}], settings)
    assert json.loads(path.read_text()) == {
        "commit": "c",
        "kernels": "y",
        "rows": [
            {"commit": "b", "kernels": "x", "size": "s", "batch": 1, "rate": 2},
            {"size": "s", "batch": 64, "rate": 3},
            {"commit": "a", "kernels": "x", "size": "m", "batch": 1, "rate": 1},
        ],
    }


def test_a_process_tells_its_memory(report):
    from process_cost import peak_memory

    told = peak_memory()
    if sys.platform == "linux":
        assert 10 < told["peak_memory_mib"] < 100_000
    else:
        assert told == {}


def test_minigrid_is_told_beside_as_many_worlds_of_ours(report, tmp_path):
    rows = [{"batch": batch, **speeds(rate, 3)} for batch, rate in ((8, 1e5), (64, 1e6))]
    write(tmp_path, "here", "maze_throughput", rows=rows, minigrid_env_steps_per_s=5000.0)
    assert "did 5.00 k env-steps/s; minicosm's 64 worlds above make 200x as many." in report.page(
        report.read_all(tmp_path)
    )


def test_every_machine_has_its_own_labelled_part(report, tmp_path):
    for machine in ("one", "two"):
        write(tmp_path, machine, "maze_throughput", rows=[{"batch": 8, **speeds(9, 3)}])
    text = report.page(report.read_all(tmp_path))
    assert text.count("## Mazes") == 1
    assert text.index("### On one") < text.index("### On two")
    assert "| one | ONE | 2 |" in text and "| two | TWO | 2 |" in text


def test_a_file_of_an_unknown_script_is_shown_and_one_without_rates_is_not(report, tmp_path):
    write(tmp_path, "here", "new_thing", rows=[{"worlds": 4, "steps_per_s": {"a way": 1.5e6}}])
    write(tmp_path, "here", "train_nav", rows=[{"level": "x", "drawn": 0.5}])
    text = report.page(report.read_all(tmp_path))
    assert "## New thing" in text and "| 4 | 1.50 M |" in text and "Rates are in steps/s" in text
    assert "train" not in text.lower().replace("training", "")


def test_levels_and_the_parts_of_a_step_have_tables_of_their_own(report, tmp_path):
    kinds = {kind: {"env_steps_per_s": 1e5, "compile_s": 9.0} for kind in ("flat", "pixels")}
    levels = [
        {
            "size": "s",
            "levels": "random",
            "levels_per_s": {"64": 31e3, "1024": 2e5},
            "compile_s": {"64": 3, "1024": 4.26},
        },
        {"size": "s", "levels": "mutate", "edits": 5, "levels_per_s": {"64": 9e3}, "compile_s": {"64": 12.0}},
    ]
    shares = [{"size": "s", "batch": 1024, "step_us": 6.125, "shares": {"engine": 0.5, "observation": 0.251}}]
    rows = [{"size": "s", "batch": 64, **kinds}]
    write(tmp_path, "here", "physics_step", rows=rows, levels=levels, breakdown=shares)
    text = report.page(report.read_all(tmp_path))
    assert "| s | 64 | 100 k | 100 k | 9 / 9 |" in text
    assert "| size | levels | 64 | 1,024 |" in text and "| s | random | 31.0 k (3.0) | 200 k (4.3) |" in text
    assert "| s | mutate, 5 edits each | 9.00 k (12.0) |  |" in text
    assert (
        "| size | worlds | µs an env-step | engine | observation |" in text
        and "| s | 1,024 | 6.12 | 50% | 25% |" in text
    )
    plain = [{"size": "s", "batch": 64, **kinds}]
    write(tmp_path, "here", "physics_step", rows=plain)
    assert "Levels a second" not in report.page(report.read_all(tmp_path))


def test_a_sweep_is_drawn(report, tmp_path):
    rows = [{"batch": batch, **speeds(10.0 * batch, batch)} for batch in (1, 64, 4096)]
    write(tmp_path, "here", "nav_throughput", rows=rows)
    found = report.read_all(tmp_path)
    (path,) = report.draw(found, tmp_path / "images")
    assert path.name in report.page(found)
    assert "worlds" in path.read_text(encoding="utf-8")
    write(tmp_path, "here", "nav_throughput", rows=rows[:2])
    assert report.draw(report.read_all(tmp_path), tmp_path / "images") == []


def test_growth_with_the_number_of_shapes_has_its_law_and_figure(report, tmp_path):
    rows = [
        {"shapes": n, "pairs": n * n, "batch": 8, "ticks_per_s": 1e6 / n, "cpu_us_per_tick": 1.5 * n} for n in (4, 8)
    ]
    write(tmp_path, "here", "engine_scaling", rows=rows, growth={"cpu_us_per_tick": [1.0, 1.25], "pairs": [2.0, 2.0]})
    found = report.read_all(tmp_path)
    text = report.page(found)
    assert "| 8 | 64 | 8 | 125 k |" in text
    assert "| CPU time of a tick, µs | 1.00 | 1.25 |" in text
    (path,) = report.draw(found, tmp_path / "images")
    assert "here-engine_scaling.svg" in text
    assert "shapes that move" in path.read_text()


def test_workers_take_turns_and_medians_count(report):
    from workers import Worker, alternate

    code = (
        "import json, sys\n"
        "print(json.dumps({'setup_s': 0.5}), flush=True)\n"
        "for turn, _ in enumerate(sys.stdin):\n"
        "    told = {'wall_s': [1, 4, 2][turn], 'cpu_s': 2, 'agent_steps': 8, 'resets': 1}\n"
        "    told['peak_memory_mib'] = 7 - turn\n"
        "    print(json.dumps(told), flush=True)\n"
    )
    figures = alternate({"peer": Worker([sys.executable, "-c", code])}, 3, "agent_steps")["peer"]
    assert (figures["agent_steps_per_s"], figures["agent_steps_per_cpu_s"]) == (4.0, 4.0)
    assert (figures["resets_per_agent_step"], figures["peak_memory_mib"], figures["setup_s"]) == (0.125, 7, 0.5)


def test_a_sweep_tells_memory_and_what_was_not_measured(report, tmp_path):
    row = {"family": "maze", "env_steps_per_s": 4e6, "compile_s": 3.0, "seconds": [0.2], "resets_per_env_step": 0.01}
    rows = [
        {**row, "batch": batch, "memory_bytes": 1e6, "memory_bytes_per_world": 1e6 / batch} for batch in (1, 16, 256)
    ]
    write(tmp_path, "here", "batch_sweep", rows=rows, stopped=["maze: 4,096 worlds would need 7.1 GiB"])
    text = report.page(report.read_all(tmp_path))
    assert "| family | worlds | minicosm | compile, s | bytes a world |" in text
    assert "| maze | 16 | 4.00 M | 3 | 62.5 k |" in text
    assert "Not measured: maze: 4,096 worlds would need 7.1 GiB." in text
    assert "images/benchmarks/here-batch_sweep.svg" in text


def test_floors_with_their_ceilings(report, tmp_path):
    floor = {
        "operations_per_env_step": 66_500,
        "bytes_per_env_step": 1_567,
        "env_steps_per_s_at_peak": 2e6,
        "gap": 1.6,
        "bound": "arithmetic",
    }
    ceilings = {"operations_per_s": 1.3e11, "bytes_per_s": 2.7e10, "rates": {"multiply_adds": 1.3e11}}
    rows = [{"function": "nav step", "batch": 4096, "steps_per_s": 1.25e6, "floor": floor}]
    write(tmp_path, "here", "floor", rows=rows, ceilings=ceilings)
    text = report.page(report.read_all(tmp_path))
    assert "Ceilings: 130 G in multiply adds, operations/s; memory 27.0 GB/s." in text
    assert "| nav step | 4,096 | 66.5 k | 1.57 k | 2.00 M | arithmetic | 1.25 M | 1.6 |" in text


def test_gaps_are_to_the_best_rate_in_the_file(report, tmp_path):
    floor = {"operations_per_env_step": 100.0, "bytes_per_env_step": 20.0}
    rows = [
        {
            "robots": robots,
            "batch": 1,
            **speeds(1000, 10),
            "floor": {**floor, "peak_operations_per_s": rate, "env_steps_per_s_at_peak": rate / 100, "gap": rate / 1e5},
        }
        for robots, rate in ((1, 2e5), (4, 8e5))
    ]
    write(tmp_path, "here", "nav_throughput", rows=rows)
    text = report.page(report.read_all(tmp_path))
    assert "| robots 1, worlds 1 | 100 | 20 | 8.00 k | 8.0 |" in text
    assert "| robots 4, worlds 1 | 100 | 20 | 8.00 k | 8.0 |" in text


def test_operations_in_loops_count_as_often_as_they_run(report):
    from counting import count

    def loop(x, weights):
        def body(x, i):
            return jnp.tanh(x @ weights) * i, None

        return jax.lax.scan(body, x, jnp.arange(7.0))[0]

    def text(function, *given):
        return jax.jit(function).lower(*given).compile()

    x, weights = jnp.ones((64, 128)), jnp.ones((128, 32)) @ jnp.ones((32, 128))
    found = count(text(loop, x, weights).as_text())
    once = 2 * 64 * 128 * 128 + 2 * 64 * 128  # the product, tanh and multiplication
    assert 7 * once <= found.operations <= 7 * (once + 10)  # and the loop's own counter
    straight = text(lambda x: (x @ weights).sum(axis=0) / jnp.sqrt(x[0] + 2), x)
    analysis = straight.cost_analysis()
    assert count(straight.as_text()).operations == analysis["flops"] + analysis["transcendentals"]
    unknown = text(lambda x: jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: x + x, x), x)
    assert count(unknown.as_text()).unknown_loops == 1


def test_a_damaged_file_is_named(report, tmp_path):
    write(tmp_path, "here", "nav_throughput", rows=[])
    (tmp_path / "here" / "nav_throughput.json").write_text("{")
    with pytest.raises(ValueError, match=r"nav_throughput.json is no file of results"):
        report.read_all(tmp_path)
