"""From the values of a call to the options of a run."""

from __future__ import annotations

from argparse import Namespace

from vllm_migrate.run.settings import Options

UNRECOGNISED = "no-engine-recognised"
STALE_PIN = "stale-pin"


def options_of(call: Namespace) -> Options:
    """The options of a run that the call gives; lists as tuples, what it does not take as it is by default."""
    given = {field: getattr(call, field) for field in Options._fields if hasattr(call, field)}
    lists = {
        field: tuple(value or ()) for field, value in given.items() if isinstance(Options._field_defaults[field], tuple)
    }
    if getattr(call, "quiet_unrecognised", False):
        lists["ignore"] = (*lists.get("ignore", ()), UNRECOGNISED)
    if getattr(call, "stale_pins", False):
        lists["extend_select"] = (*lists.get("extend_select", ()), STALE_PIN)
    return Options(**{**given, **lists})
