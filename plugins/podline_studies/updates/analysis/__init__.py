"""The update study's analysis: from a frame of updates to tables."""
