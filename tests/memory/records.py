"""The search of records, in memory."""

from strongroom.audit.log import LONGEST_REQUEST, Entry


class MemoryRecords:
    def __init__(self, storage):
        self._storage = storage

    def _kept(self):
        return [Entry(place, record, b"") for place, record in enumerate(self._storage.records, 1)]

    def position_after(self, moment):
        late = moment.timestamp() + LONGEST_REQUEST.total_seconds()
        return 1 + max((e.sequence for e in self._kept() if e.record.time.timestamp() <= late), default=0)

    def containing(self, before, span, needles):
        spanned = [each for each in self._kept() if before - span <= each.sequence < before]
        return tuple(each for each in spanned[::-1] if all(needle in each.record.body for needle in needles))

    def time_before(self, sequence):
        return next((each.record.time for each in self._kept()[::-1] if each.sequence < sequence), None)
