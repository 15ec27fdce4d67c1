"""The worlds and the contract they keep."""
