"""Checkpoints: reading, writing, finding and fetching the weights of a network.

The parts are imported from their own modules, so that listing or downloading models never waits for torch:
`reading` and `writing` (files), `catalogue` and `library` (names and folders), `download` (public models).
"""
