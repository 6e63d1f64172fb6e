"""Where the time goes: measured, summed up and recorded."""
