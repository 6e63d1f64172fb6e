"""Where a stage runs as a pod: created, watched, followed and cleaned away."""
