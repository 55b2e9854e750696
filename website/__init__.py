"""The site: documentation and playground as static files, made by `python -m website.build OUT`."""
