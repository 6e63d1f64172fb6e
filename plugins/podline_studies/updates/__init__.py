"""The update study: from a model's publish to its first prediction at an edge over a slow link.

Nodes that take up new versions each in a way of its own are compared: `nodes` has them.
"""
