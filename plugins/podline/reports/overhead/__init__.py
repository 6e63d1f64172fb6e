"""The overhead study's report: from two frames to a page."""
