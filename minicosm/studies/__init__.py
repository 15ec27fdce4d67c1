"""Measurements and experiments that anyone may want to run again, one command each."""
