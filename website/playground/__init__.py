"""The page that runs the linter in a browser; `linter.py` runs inside it, under Pyodide."""
