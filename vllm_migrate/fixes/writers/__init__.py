"""The ways in which a setting is written, one a module. `fixes.carriers` chooses."""
