"""The overhead study's analysis: from two frames to tables, estimates and hypotheses."""
