"""How well a model segments, measured with simulated clicks."""
