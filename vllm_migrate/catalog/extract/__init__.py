"""Reading a vLLM release's own source, without importing it.

A small evaluator (`interp`) works out the values a module would hold right after import, with an empty
environment and no platform; what it cannot decide stays an expression. The section modules (`options`,
`cli`, `environment`, `requests`, `routes`, `surface`, `resolution`) ask it what a release accepts.
"""
