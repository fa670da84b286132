#!/usr/bin/python3
"""deploy/arrows.yaml says what it means: known parties and ports, each arrow once, and the layers of the house."""
import unittest

import arrows


class Arrows(unittest.TestCase):
    def test_known_parties_ports_and_reach(self):
        for arrow in arrows.ARROWS:
            with self.subTest(arrow):
                self.assertIn(arrow["from"], arrows.PARTIES)
                self.assertIn(arrow["to"], arrows.PARTIES)
                self.assertIn(arrow["port"], arrows.PORTS)
                self.assertIn(arrow["reach"], ("cell", "region", "namesake", "any"))
                self.assertLessEqual(set(arrow), {"from", "to", "port", "reach", "except"})

    def test_each_once(self):
        seen = [(arrow["from"], arrow["to"], arrow["port"], arrow["reach"]) for arrow in arrows.ARROWS]
        self.assertEqual(len(seen), len(set(seen)))

    def test_every_party_and_port_is_used(self):
        self.assertEqual({arrow[end] for arrow in arrows.ARROWS for end in ("from", "to")}, set(arrows.PARTIES))
        self.assertEqual({arrow["port"] for arrow in arrows.ARROWS}, set(arrows.PORTS))

    def test_a_layer_calls_its_inner_neighbour_alone(self):
        hops = {(arrow["from"], arrow["to"]) for arrow in arrows.ARROWS if arrow["port"] == "hop"}
        self.assertEqual(hops, {("gateway", "authz"), ("authz", "orchestrator"), ("orchestrator", "cryptocore")})
        self.assertTrue(all(arrow["reach"] == "cell" for arrow in arrows.ARROWS if arrow["port"] in ("hop", "feed")))

    def test_only_the_core_reaches_the_hsm_and_only_callers_the_edge(self):
        self.assertEqual([arrow["from"] for arrow in arrows.ARROWS if arrow["to"] == "hsm"], ["cryptocore"])
        self.assertEqual({arrow["from"] for arrow in arrows.ARROWS if arrow["port"] == "edge"}, {"callers", "tester"})

    def test_nothing_is_left_out_everywhere_without_a_word(self):
        for arrow in arrows.ARROWS:
            self.assertLessEqual(set(arrow.get("except", [])), {"chart", "fargate", "compose"})


if __name__ == "__main__":
    unittest.main()
