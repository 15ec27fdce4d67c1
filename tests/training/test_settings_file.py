import pytest

from minicosm.training import PPOConfig, settings_file

WHOLE = """
world = "maze"
curriculum = "sfl"
[settings]
level_kind = "solvable"
[curriculum_settings]
num_kept = 200
[ppo]
total_steps = 2_000
[ppo.network]
hidden = [32, 16]
"""


def written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_a_file_says_world_curriculum_and_settings(tmp_path):
    file = settings_file.read(written(tmp_path, WHOLE))
    assert (file.world, file.curriculum) == ("maze", "sfl")
    assert (file.settings, file.curriculum_settings) == ({"level_kind": "solvable"}, {"num_kept": 200})
    config = file.over(PPOConfig(num_envs=48))
    assert (config.total_steps, config.num_envs, config.network.hidden) == (2000, 48, (32, 16))


def test_an_empty_file_changes_nothing(tmp_path):
    assert settings_file.read(written(tmp_path, "")).over(PPOConfig()) == PPOConfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("world = ", "is not TOML"),
        ("wrold = 'nav'", r"run.toml' has no setting 'wrold' \(settings: world, "),
        ("world = 3", r"world in .* is 3; expected a text"),
        ("ppo = 3", r"ppo in .* is 3; expected a table, \[ppo\]"),
        ("[ppo]\nlearning_rte = 1.0", r"\[ppo\] has no setting 'learning_rte'"),
        ("[ppo]\nepochs = 0", "PPOConfig.epochs is 0"),
        ("[ppo]\nepochs = 'two'", "PPOConfig.epochs is 'two'"),
        ("[ppo]\nlearning_rate = 'low'", r"learning_rate.*'low'.* is of the wrong kind"),
        ("[ppo]\nnetwork = 3", r"network in \[ppo\] is 3; expected a table"),
        ("[ppo.network]\nhiden = [3]", r"\[ppo.network\] has no setting 'hiden'"),
        ("[ppo.network]\nhidden = 3", r"hidden.*3.* is of the wrong kind"),
    ],
)
def test_what_makes_no_sense_is_told(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=said):
        settings_file.read(path).over(PPOConfig())


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OSError, match=r"cannot read .*nowhere.toml.*expected a TOML file"):
        settings_file.read(tmp_path / "nowhere.toml")
