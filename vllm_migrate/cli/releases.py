"""`vllm-migrate releases`: the releases in the catalog, and where each was read from."""

from __future__ import annotations

import json
from argparse import Namespace


def run(call: Namespace) -> int:
    """Print the list; the exit code."""
    from vllm_migrate.catalog import details, store

    cat = store.load()
    origins = details.load(cat).origins
    rows = [
        {
            "release": release,
            "added": cat.is_added(release),
            "engine": sum(not cat.is_async_only(name, release) for name in cat.names("engine", release)),
            "flags": len(cat.names("cli", release)) + len(cat.names("frontend", release)),
            "env": len(cat.names("env", release)),
            **origins.get(release, {}),
        }
        for release in cat.releases
    ]
    if call.output_format == "json":
        print(json.dumps({"schema": 1, "catalog": cat.version, "releases": rows}, indent=2))
        return 0
    print(f"catalog {cat.version}: {len(rows)} releases")
    print(f"{'release':<14}{'arguments':>10}{'flags':>7}{'variables':>11}  read from")
    for row in rows:
        origin = f"{row.get('artefact', '')}{' (added)' if row['added'] else ''}"
        print(f"{row['release']:<14}{row['engine']:>10}{row['flags']:>7}{row['env']:>11}  {origin}")
    return 0
