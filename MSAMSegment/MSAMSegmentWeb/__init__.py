"""The web page: MSAMSegment in a browser, on the real Slicer views, for one user at a time.

It has no logic of its own: every action goes through `MSAMSegmentLib.MSAMSegmentLogic`, as in 3D Slicer.
"""
