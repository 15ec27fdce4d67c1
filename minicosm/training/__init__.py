"""Training on the device: worlds, policy and learning in one compiled loop.

The nets and the optimiser, from the extra `train`, are imported when training begins: films need neither.
"""

from minicosm.training.checkpoint import load_config, load_env, load_params, updates_done
from minicosm.training.config import NetworkConfig, PPOConfig, default_config
from minicosm.training.curves import CurvePoint, plot_curves, read_points
from minicosm.training.evaluate import Evaluation, as_policy, evaluate, sample_levels, untrained_policy
from minicosm.training.progress import ProgressBar
from minicosm.training.record import Policy, random_policy
from minicosm.training.start import Start
from minicosm.training.tensorboard import TensorBoardLog
from minicosm.training.train import TrainResult, train

__all__ = [
    "CurvePoint",
    "Evaluation",
    "NetworkConfig",
    "PPOConfig",
    "Policy",
    "ProgressBar",
    "Start",
    "TensorBoardLog",
    "TrainResult",
    "as_policy",
    "default_config",
    "evaluate",
    "load_config",
    "load_env",
    "load_params",
    "plot_curves",
    "random_policy",
    "read_points",
    "sample_levels",
    "train",
    "untrained_policy",
    "updates_done",
]
