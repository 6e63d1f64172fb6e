"""The upload report in words, a module a topic."""
