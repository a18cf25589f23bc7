"""Logs in the form that the host understands: a JSON object a line on standard error, as
HashiCorp's hclog writes them, so that each line gets to windvane's own log with its level."""

import datetime
import json
import logging

# What every record has; the rest is what the caller gave as extra.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (logging.DEBUG, "debug"))


class Formatter(logging.Formatter):
    def format(self, record):
        line = {
            "@level": next((name for level, name in _LEVELS if record.levelno >= level), "trace"),
            "@message": record.getMessage(),
            "@timestamp": datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc).isoformat(),
            "@module": record.name,
        }
        line.update((k, v) for k, v in vars(record).items() if k not in _USUAL)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def to_host():
    """Has the root logger write to the host, which keeps what is of its level."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter())
    logging.basicConfig(level=logging.DEBUG, handlers=[handler], force=True)
