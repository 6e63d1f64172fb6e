"""The upload study's analysis: from a frame of uploads to tables and verdicts."""
