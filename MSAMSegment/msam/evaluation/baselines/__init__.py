"""Classical methods that segment from clicks too: what a model has to be better than."""
