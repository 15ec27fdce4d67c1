"""The policy and value nets, shared by all agents: what they read, remember and put out."""

from minicosm.training.networks.actor_critic import ActorCritic
from minicosm.training.networks.agent import Agent

__all__ = ["ActorCritic", "Agent"]
