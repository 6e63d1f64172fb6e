"""The upload study's report: from a frame of uploads to a page."""
