"""The project around the files: which files, what is configured, pinned, silenced, remembered."""
