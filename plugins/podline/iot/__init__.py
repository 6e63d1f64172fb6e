"""Devices that ask an edge: their recordings replayed, and what comes of the answers."""
