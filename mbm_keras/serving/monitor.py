"""Figures for Prometheus, in its text format.

Source: Prometheus, "Exposition formats", version 0.0.4,
https://prometheus.io/docs/instrumenting/exposition_formats/. Deviation: none.
"""

import bisect
import collections

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts of observed values below each bound.

    Args:
        bounds: Upper bounds, ascending.
    """

    def __init__(self, bounds):
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value):
        """Counts a value."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name):
        """Lines of the text format."""
        total = 0
        bounds = [*map(str, self.bounds), "+Inf"]
        for bound, count in zip(bounds, self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum}"
        yield f"{name}_count {total}"


class Monitor:
    """Figures of a server."""

    def __init__(self):
        self.requests = collections.Counter()
        self.statuses = collections.Counter()
        self.request_seconds = Histogram(_SECONDS)
        self.batch_seconds = Histogram(_SECONDS)
        self.batch_rows = Histogram(_ROWS)

    def observe_request(self, path, status, seconds):
        """Counts a request of a known path."""
        self.requests[path, status] += 1
        self.request_seconds.observe(seconds)

    def observe_batch(self, rows, seconds):
        """Counts a call of the model."""
        self.batch_rows.observe(rows)
        self.batch_seconds.observe(seconds)

    def observe_statuses(self, rows):
        """Counts how the inputs of rows were decoded."""
        for row in rows:
            self.statuses.update(row["status"].items())

    def to_text(self, **gauges):
        """All figures, and gauges by name."""
        lines = ["# TYPE mbm_requests_total counter"]
        for (path, status), count in sorted(self.requests.items()):
            labels = f'path="{_escape(path)}",status="{status}"'
            lines.append(f"mbm_requests_total{{{labels}}} {count}")
        lines.append("# TYPE mbm_inputs_total counter")
        for (name, status), count in sorted(self.statuses.items()):
            labels = f'input="{_escape(name)}",status="{status}"'
            lines.append(f"mbm_inputs_total{{{labels}}} {count}")
        for name in ("request_seconds", "batch_seconds", "batch_rows"):
            lines.append(f"# TYPE mbm_{name} histogram")
            lines += getattr(self, name).lines(f"mbm_{name}")
        for name, value in gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value}"]
        return "\n".join([*lines, ""])


def _escape(text):
    for one, other in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        text = text.replace(one, other)
    return text


def resident_bytes():
    """Memory of this process; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return 0
    import resource

    return pages * resource.getpagesize()
