"""How far long work is: on a terminal in one line that is rewritten, elsewhere in a line
now and then; nothing in the first two seconds."""

import sys
import time

PATIENCE, PAUSE = 2.0, 10.0  # seconds


class Progress:
    """Counts what is done of one piece of work; `with Progress("fits", 10) as p: p.add()`."""

    def __init__(self, what, total):
        self.what, self.total, self.done = what, total, 0
        self.start = time.monotonic()
        self.said = 0.0
        self.terminal = sys.stderr.isatty()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.terminal and self.said:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def add(self, n=1):
        self.done += n
        now = time.monotonic()
        if now - self.start < PATIENCE or now - self.said < (0.2 if self.terminal else PAUSE):
            return
        self.said = now
        took = now - self.start
        full = 20 * self.done // self.total
        rate = f"{self.done / took:.0f}/s" if self.done >= took else f"{took / self.done:.1f} s each"
        text = (f"peers: [{'#' * full}{'.' * (20 - full)}] {self.done} of {self.total} {self.what}, "
                f"{rate}, {took * max(self.total / self.done - 1, 0):.0f} s left")
        sys.stderr.write(f"\r{text}\x1b[K" if self.terminal else text + "\n")
        sys.stderr.flush()
