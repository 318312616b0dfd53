"""Training from labelled volumes."""
