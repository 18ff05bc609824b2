"""The spools a process sends: those it adopted, oldest first, then its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from auditstream.errors import PublishError
from auditstream.publish.disk_spool import DiskSpool, SpoolDamagedError
from auditstream.publish.lane import Lane
from auditstream.publish.spool import Spool

LOG = logging.getLogger("auditstream.publish")


class Lanes:
    """The own lane and the adopted ones. One thread changes them, all may look.

    `busy` is held while spools come and go.
    """

    def __init__(self, own: Spool, find: Callable[[], Iterable[DiskSpool]]) -> None:
        self.own = Lane(own)
        self.busy = threading.Lock()
        self._adopted: tuple[tuple[Lane, DiskSpool], ...] = ()
        self._find = find

    def all(self) -> list[Lane]:
        """Return the adopted lanes and the own one."""
        return [*(lane for lane, _ in self._adopted), self.own]

    def spools(self) -> list[Spool]:
        """Return the adopted spools and the own one."""
        return [lane.spool for lane in self.all()]

    def waiting(self) -> tuple[int, int]:
        """Return how many events wait in all spools, and their size in bytes."""
        if not self._adopted:
            return self.own.spool.count, self.own.spool.size
        spools = self.spools()
        return sum(spool.count for spool in spools), sum(spool.size for spool in spools)

    def adopt(self) -> bool:
        """Take over the spools of ended processes; return whether there were any."""
        before = len(self._adopted)
        with self.busy:
            for spool in self._find():
                LOG.info("%d events of an ended process are sent from %s", spool.count, spool.name)
                self._adopted += ((Lane(spool), spool),)
        return len(self._adopted) > before

    def close_empty(self) -> None:
        """Close the adopted spools in which nothing waits any more."""
        for lane, spool in self._adopted:
            if not spool.count:
                self.close(lane)

    def close(self, *given: Lane) -> None:
        """Close adopted lanes; none given, all of them."""
        for lane, spool in self._adopted:
            if not given or lane in given:
                self._forget(lane)
                try:
                    spool.close()
                except PublishError as error:
                    LOG.warning("%s", error)

    def set_aside(self, damage: SpoolDamagedError) -> bool:
        """Rename the damaged spool if it is an adopted one; return whether it is."""
        for lane, spool in self._adopted:
            if spool.path == damage.path:
                self._forget(lane)
                LOG.warning(
                    "%s; it was renamed to %s, and %d of its events are not sent",
                    damage,
                    spool.set_aside(),
                    spool.count,
                )
                return True
        return False

    def hold(self) -> None:
        """Keep all other threads out of the spools until `let_go`."""
        self.busy.acquire()
        for spool in self.spools():
            spool.hold()

    def let_go(self) -> None:
        """End a `hold`."""
        for spool in self.spools():
            spool.let_go()
        self.busy.release()

    def _forget(self, lane: Lane) -> None:
        with self.busy:
            self._adopted = tuple(pair for pair in self._adopted if pair[0] is not lane)
