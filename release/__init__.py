"""What making a release needs: its notes, and its wheel tried in bare environments."""
