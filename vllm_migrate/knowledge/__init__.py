"""The compiled contents of rules/: how it is checked, compiled, loaded, and the condition language it is written in."""
