"""The rollout proof: record, score, compare, attribute.

A recording holds token ids and logprobs of a rollout; `score` adds what a trainer would claim for the same tokens;
`compare` answers with a verdict and an error bar. Importing this package loads neither torch nor transformers.
"""
