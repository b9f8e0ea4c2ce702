"""What `tests/bench/run` measures, one module a group."""
