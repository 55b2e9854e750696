"""Parsed files. A package for each carrier: `document` reads it, `edit` plans changes, `proof` proves them; `text` is what
all of them share. Trees (YAML, TOML, JSON, calls in Python) are planned and proved by `editing`, scripts by `shell.edit` and
`shell.proof`."""
