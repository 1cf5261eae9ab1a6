"""Confirmation of parameter sets on an engine that knows nothing of the compiled simulator."""
