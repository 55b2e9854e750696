"""Where rollouts come from: one file a backend, `interface.py` says what they share."""
