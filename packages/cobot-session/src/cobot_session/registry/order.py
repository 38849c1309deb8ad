"""Who needs whom: dependencies resolved, and the order that follows from them."""

from __future__ import annotations

import heapq
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cobot_session.registry.record import PluginRecord

Needs: TypeAlias = dict[str, dict[str, list[str]]]
"""Id of a record -> name that it depends on -> ids of the records which that stands for."""


def resolve(records: Mapping[str, PluginRecord]) -> None:
    """Replace each dependency by the records that fulfil it; fail what cannot be fulfilled.

    A dependency names a block, or else an entry point, which every block that uses it fulfils.
    What needs a plugin that is not ready is not ready either, and so on.
    """
    needs: Needs = {
        record.id: {name: _meant(name, records) for name in record.dependencies}
        for record in records.values()
        if record.state == "ready"
    }
    _fail_cycles(needs, records)
    while any(_fails(records[id_], named, records) for id_, named in needs.items()):
        pass
    for id_, named in needs.items():
        wanted = {other for ids in named.values() for other in ids}
        ready = (other for other in wanted if records[other].state == "ready")
        records[id_].dependencies = tuple(sorted(ready))


def ordered(records: Iterable[PluginRecord]) -> list[PluginRecord]:
    """Return the ready ones: dependencies first, then by priority, then by id."""
    ready = {record.id: record for record in records if record.state == "ready"}
    sorter = TopologicalSorter({id_: record.dependencies for id_, record in ready.items()})
    sorter.prepare()
    waiting: list[tuple[int, str]] = []
    order = []
    while sorter.is_active():
        for id_ in sorter.get_ready():
            heapq.heappush(waiting, (ready[id_].priority, id_))
        _, first = heapq.heappop(waiting)
        sorter.done(first)
        order.append(ready[first])
    return order


def _meant(name: str, records: Mapping[str, PluginRecord]) -> list[str]:
    if name in records:
        return [name]
    return [record.id for record in records.values() if record.use == name]


def _fail_cycles(needs: Needs, records: Mapping[str, PluginRecord]) -> None:
    """Fail every plugin on a cycle, naming the cycle."""
    left = {id_: {o for ids in named.values() for o in ids} for id_, named in needs.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            cycle = error.args[1][::-1]
            for id_ in set(cycle):
                way = " → ".join(_from(id_, cycle))
                records[id_].rest(
                    "failed",
                    f"it depends on itself: {way}",
                    "Take one of these out of a `meta.dependencies`.",
                )
                del left[id_]
        else:
            return


def _from(start: str, cycle: list[str]) -> list[str]:
    """Return a closed cycle as seen from one of its members."""
    at = cycle.index(start)
    ring = cycle[:-1]
    return [*ring[at:], *ring[:at], start] if start != cycle[-1] else cycle


def _fails(
    record: PluginRecord, named: Mapping[str, list[str]], records: Mapping[str, PluginRecord]
) -> bool:
    """Fail a ready plugin that needs one which is not; tell whether that happened."""
    if record.state != "ready":
        return False
    for name, ids in named.items():
        if any(records[id_].state == "ready" for id_ in ids):
            continue
        why = f"which is {records[ids[0]].state}" if ids else "which is not installed"
        remedy = records[ids[0]].remedy if ids else f"Install it: `pip install cobot-{name}`."
        record.rest("failed", f"it needs `{name}`, {why}", remedy or f"Enable `{name}`.")
        return True
    return False
