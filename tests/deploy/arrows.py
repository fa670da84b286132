"""deploy/arrows.yaml, read: who connects to whom, for a number of cells."""
import yaml

from chart import TOP

PAGE = yaml.safe_load((TOP / "deploy/arrows.yaml").read_text())
PARTIES, PORTS, ARROWS = PAGE["parties"], PAGE["ports"], PAGE["arrows"]
SERVICES = [name for name, party in PARTIES.items() if party["kind"] == "service" and name != "tester"]


def of(packaging):
    """The arrows that are there in one kind of packaging."""
    return [arrow for arrow in ARROWS if packaging not in arrow.get("except", [])]


def has_cells(party):
    return party in SERVICES


def ends(arrow, cells):
    """(from, its cell, to, its cell) for each pair that one arrow is about; the cell of who has none is None."""
    for source in cells if has_cells(arrow["from"]) else [None]:
        for target in cells if has_cells(arrow["to"]) else [None]:
            both = source is not None and target is not None
            if both and arrow["reach"] == "cell" and source != target:
                continue
            if both and arrow["reach"] == "region" and source == target:
                continue
            yield arrow["from"], source, arrow["to"], target
