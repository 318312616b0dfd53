"""The Qt side of the Slicer module: one file for each part of the panel, and none of them with a logic of its own."""
