"""Training on the device: worlds, policy and learning in one compiled loop."""
