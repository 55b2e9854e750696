"""`vllm-migrate lock`: effective values kept in the repository, and what has moved since."""

from __future__ import annotations

import os
from argparse import Namespace

from vllm_migrate.cli.calls import options_of
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import opened_text


def run(call: Namespace) -> int:
    """Write or check; the exit code: 0 the same, 1 something moved."""
    from vllm_migrate.run import lock
    from vllm_migrate.run.fence import check_output

    if call.schema:
        with opened_text(lock.SCHEMA) as stream:
            print(stream.read(), end="")
        return 0
    path = call.output or lock.NAME
    if call.check:
        return _check(path, call)
    folder = os.path.dirname(path) or os.curdir
    model, config = (named and os.path.relpath(named, folder) for named in (call.model_config, call.config))
    paths = tuple(os.path.relpath(one, folder) for one in call.paths or ["."])
    options = options_of(call)._replace(paths=paths, model_config=model, config=config)
    found = lock.build(options._replace(source=call.at, target=call.at), folder, call.smoke)
    check_output(path, call.allow_outside or ())
    lock.write(path, found)
    count = len(found["engines"])
    print(f"{path}: {count} engine{'s' * (count != 1)}")
    return 0


def _check(path: str, call: Namespace) -> int:
    from vllm_migrate.run import lock
    from vllm_migrate.verify.show import word

    if any((call.paths, call.at, call.smoke, *(getattr(call, field) for field in lock.ASSUMED))):
        raise UsageError(
            "lock --check takes its paths and options from the lock",
            "vllm-migrate lock --check, with -o FILE for a different lock",
        )
    moved = lock.check(path, tuple(call.allow_outside or ()))
    for one in moved:
        what = f"{one.option}: {word(one.old)} -> {word(one.new)}" if one.option else "engine"
        print(f"{one.engine}  {what}  ({one.because})")
    print(
        f"{path}: {f'{len(moved)} changed; `vllm-migrate lock` accepts the changes' if moved else 'nothing has changed'}"
    )
    return int(bool(moved))
