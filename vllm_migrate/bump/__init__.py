"""What changed between two releases for what a repository uses of vLLM."""
