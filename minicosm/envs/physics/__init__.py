"""The 2D universe: rigid bodies, joints, motors and thrusters, where a task is data."""
