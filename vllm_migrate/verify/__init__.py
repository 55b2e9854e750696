"""What a running engine says of itself, one file a source, compared with what the files say."""
