"""Real machines under a real control plane, and what scenarios need of them."""
