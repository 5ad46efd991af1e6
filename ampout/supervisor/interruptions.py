"""Waiting that ends early when someone asks us to stop or a child ends."""

import contextlib
import os
import select
import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(Exception):
    """Someone pressed Ctrl-C or sent SIGTERM."""


class Interruptions:
    """Signals become a flag, which `pause` turns into StopRequestedError at places where that does no harm."""

    def __init__(self) -> None:
        self._requested = False
        self._reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            # nohup: whoever had hang-ups ignored wants us to stay.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._request)
        # Python notes signals for the pipe only where a handler exists.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a child ends; raises StopRequestedError when asked to stop."""
        self._raise_if_requested()
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        self._raise_if_requested()

    def _request(self, _number: int, _frame: object) -> None:
        self._requested = True

    def _raise_if_requested(self) -> None:
        if self._requested:
            raise StopRequestedError
