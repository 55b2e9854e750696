"""The process that reads a source tree: an interrupt, whenever it comes, leaves neither a process nor a thread to wait for."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from vllm_migrate.catalog import confined


@pytest.mark.parametrize("at", ["alarm", "reading"])
def test_an_interrupt_leaves_nothing_to_wait_for(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by killing: an interrupt right after the alarm was set kept the program for the hour that the alarm had."""
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[call-overload]
            started.append(self)

    class Timer(threading.Timer):
        def start(self) -> None:
            super().start()
            if at == "alarm":
                raise KeyboardInterrupt

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vllm_migrate.catalog.confined.subprocess.Popen", Popen)
    monkeypatch.setattr("vllm_migrate.catalog.confined.threading.Timer", Timer)
    if at == "reading":
        monkeypatch.setattr(confined, "_follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        confined.read(str(tmp_path))
    assert started[0].returncode is not None
    alarms = [thread for thread in threading.enumerate() if isinstance(thread, Timer)]
    assert all(thread.daemon for thread in alarms)
    for thread in alarms:
        thread.join(10)
        assert not thread.is_alive()
