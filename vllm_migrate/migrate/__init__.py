"""One guided step for a project: every fix, the version itself where its pins decide it, and a checklist for people."""
