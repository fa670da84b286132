#!/usr/bin/python3
"""The command against whole meshes: `tour_test.py BUILD/bin/keyward`.

The tour as a newcomer runs it, and what operators rely on: exit codes, evidence that can be verified after the mesh is
gone, and a mesh that goes on when a part of it dies.
"""
import base64
import json
import os
import pathlib
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "interop"))

from mesh import Mesh, eventually
from processes import Processes

TOUR_S = 200
CALL_S = 90


def environment(**more):
    """Ours, without settings of Keyward's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KEYWARD_")}
    return {**clean, **more}


class Interrupted(unittest.TestCase):
    """A tour that is stopped stops its mesh and leaves nothing, wherever it was."""

    def interrupt(self, signal_number, pattern):
        """What a tour says on stderr when the signal comes as soon as it has printed this."""
        with tempfile.TemporaryDirectory() as tmp:
            tour = subprocess.Popen([BINARY, "tour", "--pens=4"], env=environment(TMPDIR=tmp),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            text = b""
            while pattern not in text:
                more = os.read(tour.stdout.fileno(), 4096)
                self.assertNotEqual(more, b"", text)
                text += more
            tour.send_signal(signal_number)
            _, said = tour.communicate(timeout=TOUR_S)
            self.assertEqual((tour.returncode, os.listdir(tmp)), (5, []), said)
            return said.decode()

    def test_in_a_chapter(self):
        self.assertIn("Interrupted.", self.interrupt(signal.SIGINT, b"\n2  "))

    def test_while_the_mesh_starts(self):
        self.assertIn("Interrupted.", self.interrupt(signal.SIGTERM, b"starting a mesh"))


class Tour(unittest.TestCase):
    """`keyward tour` without anything: it starts a mesh, tells the story, stops the mesh."""

    @classmethod
    def setUpClass(cls):
        cls.tmp = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.ended = subprocess.run([BINARY, "tour"], env=environment(TMPDIR=cls.tmp), timeout=TOUR_S,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cls.text = cls.ended.stdout

    def assertTold(self, *patterns):
        """The transcript has these, one after the other."""
        at = 0
        for pattern in patterns:
            match = re.compile(pattern, re.M).search(self.text, at)
            self.assertIsNotNone(match, "no %s behind\n%s" % (pattern, self.text[:at][-500:]))
            at = match.end()

    def test_ends_well_and_leaves_nothing(self):
        self.assertEqual((self.ended.returncode, self.ended.stderr), (0, ""), self.text)
        self.assertEqual(os.listdir(self.tmp), [])

    def test_batch_of_a_thousand(self):
        self.assertTold(r"\$ keyward station create", r"\$ keyward station invite",
                        r"\$ keyward station join", r"\$ keyward batch create .*\n.*--count=1000",
                        r"keys +1000$", r"\$ keyward batch confirm", r"confirmed +1000 of 1000$",
                        r"\$ keyward batch release", r"activated_count +1000$")

    def test_partner_joins_and_openssl_opens(self):
        self.assertTold(r"\$ keyward partner create", r"\$ keyward partner invite",
                        r"\$ keyward partner join", r"CN = Keyward partners CA",
                        r"URI:spiffe://keyward.test/partner/prt_", r"\$ openssl cms -decrypt",
                        r"\$ cmp ", r"the same 32 bytes")

    def test_key_handshake_and_doses(self):
        self.assertTold(r"\$ keyward grant create", r"\$ keyward access get", r"mac +good",
                        r"\$ keyward access read", r"M1 ", r"M2 ", r"M3 ",
                        r"^ +1 +\S+Z +12\.00 +injected$", r"^ +5 .* 12\.50 +injected +ends here$",
                        r"acknowledged up to record 5", r"--derive")

    def test_refusals_come(self):
        self.assertTold(r"A second partner", r"keyward: NOT_FOUND", r"refused, as it must be",
                        r"\$ keyward grant revoke", r"state +revoked", r"\$ keyward access get",
                        r"keyward: NOT_FOUND", r"refused, as it must be",
                        r"FOUND: receipt missing", r"FOUND: record count: (\d+) are here",
                        r"NOT VERIFIED", r"2 findings", r"refused, as it must be")

    def test_evidence(self):
        self.assertTold(r"\$ keyward receipt list", r"CreateBatch", r"ConfirmDevice",
                        r"ReleaseBatch", r"GetDeviceAccess", r"DeriveSession",
                        r"\$ keyward receipt export", r"\$ keyward receipt export there.jsonl", r"cli-r2-a.yaml",
                        r"\$ keyward verify evidence.jsonl,there.jsonl", r"^ +[0-9a-f]{8}/.* +1 +1 to 1 ",
                        r"^ +VERIFIED: \d{4} receipts .* 0 findings$")

    def test_another_region_agrees(self):
        self.assertTold(r"What one cell says", r"\$ keyward grant create", r"\$ keyward access get", r"region/r2/cell/a",
                        r"used in r2/a at most \d+ ms later", r"\$ keyward grant revoke", r"keyward: NOT_FOUND",
                        r"refused in r2/a at most \d+ ms later")

    def test_a_region_that_was_away_catches_up(self):
        self.assertTold(r"\$ keyward cell stop r2/a", r"\$ keyward partner create .*Late Reader",
                        r"\$ keyward cell start r2/a", r"display_name +Late Reader", r"known in r2/a at most \d+ ms later",
                        r"\$ keyward regions", r"^ +r1/a +- +\d+ ms$", r"^ +r2/a +\d+ ms +-$")

    def test_times(self):
        closing = re.search(r"Done in ([0-9.]+) s: .* first key came ([0-9.]+) s", self.text)
        self.assertLessEqual(float(closing[2]), float(closing[1]))

    def test_shows_no_secret(self):
        self.assertNotIn("PRIVATE", self.text)
        self.assertIsNone(re.search(r"[0-9a-f]{64}", self.text))


class World(unittest.TestCase):
    """One mesh and the files that a small tour left, for all tests of this class."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh(BINARY)
        cls.addClassCleanup(cls.stop)
        cls.config = cls.mesh.directory / "cli.yaml"
        cls.dir = cls.mesh.temporary / "tour"
        cls.keyward("tour", "--dir=%s" % cls.dir, "--pens=4", cwd="/", check=True)
        cls.keyward("receipt", "export", "whole.jsonl", check=True)
        cls.devices = [json.loads(line)["device"] for line in
                       (cls.dir / "pens.jsonl").read_text().splitlines()[1:]]

    @classmethod
    def stop(cls):
        if cls.mesh is not None:
            cls.mesh.__exit__(None, None, None)

    @classmethod
    def keyward(cls, *words, cwd=None, check=False, config=None):
        return subprocess.run([BINARY, *words], cwd=cwd or cls.dir, timeout=CALL_S, check=check,
                              env=environment(KEYWARD_CONFIG=str(config or cls.config)),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def assertExit(self, code, *words, **options):
        ended = self.keyward(*words, **options)
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        return ended

    # exit codes

    def test_mistakes_exit_1(self):
        self.assertIn('did you mean "grant"', self.assertExit(1, "grnat", "list").stderr)
        self.assertExit(1, "grant", "list")
        self.assertExit(1, "grant", "list", "partners/-", "--state=sleepy")
        self.assertExit(1, "status", "--no-such-setting=1")
        self.assertExit(1, "status", "-o", "yaml")
        self.assertExit(1, "verify", "no-such-file")

    def test_a_grant_says_which_keys_and_what_for(self):
        create = ("grant", "create", "partners/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "--purpose=sport",
                  "--end-time=+1d", "--justification=test")
        self.assertIn("one of --device, --batch, --product is needed",
                      self.assertExit(1, *create, "--operation=release-key").stderr)
        self.assertIn("only one of", self.assertExit(1, *create, "--operation=release-key",
                                                     "--batch=a", "--product=b").stderr)
        self.assertIn('--operation: "relese-key" is not one of release-key, derive-session',
                      self.assertExit(1, *create, "--operation=relese-key", "--batch=a").stderr)

    def test_refusals_exit_2(self):
        refused = self.assertExit(2, "partner", "get", "partners/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa")
        self.assertIn("NOT_FOUND", refused.stderr)
        self.assertIn("request  req_", refused.stderr)
        invalid = self.assertExit(2, "partner", "get", "partners/nobody")
        self.assertIn("field    name", invalid.stderr)

    def test_an_empty_list_says_so(self):
        ended = self.assertExit(0, "receipt", "list", "--start-time=+1d")
        self.assertEqual((ended.stdout, ended.stderr), ("", "none\n"))

    def test_tour_without_its_settings_begins_nothing(self):
        ended = self.assertExit(1, "tour", config=self.dir / "gone.yaml")
        self.assertIn("from KEYWARD_CONFIG; unset it", ended.stderr)
        self.assertEqual(ended.stdout, "")

    def test_nobody_there_exits_3(self):
        self.assertExit(3, "status", "--target=127.0.0.1:1", "--timeout-ms=2000")

    def test_the_status_says_what_confines_the_core(self):
        told = self.assertExit(0, "status").stdout.partition("cryptocore is confined by:\n")[2]
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        rows = dict(line.split() for line in told.splitlines())
        self.assertEqual(rows.pop("key"), "value")
        self.assertEqual(rows.pop("locked_memory"), "unlimited" if limit == resource.RLIM_INFINITY else str(limit))
        self.assertIn(rows.pop("seccomp"), ("none", "filter"))
        self.assertEqual(rows, {"hsm_sandbox": "strict"})

    def test_what_refusals_name_is_explained(self):
        self.assertIn("`target`", self.assertExit(0, "explain", "UNREACHABLE").stdout)
        self.assertIn("NOT_FOUND (gRPC code 5)", self.assertExit(0, "explain", "not_found").stdout)
        self.assertExit(1, "explain", "nonsense")

    def test_partly_refused_exits_4(self):
        partner = json.loads(self.keyward("partner", "list", "-o", "json", check=True).stdout)
        name = [one["name"] for one in partner["partners"] if one["displayName"] == "Step Counter"][0]
        self.keyward("grant", "create", name, "--device=" + self.devices[0], "--purpose=sport",
                     "--operation=release-key", "--end-time=+1d", "--justification=test", check=True)
        ended = self.assertExit(4, "access", "batch", ",".join(self.devices[:2]), "--purpose=sport",
                                config=self.dir / "other" / "cli.yaml")
        self.assertIn("opened 1 of 2", ended.stdout)

    def test_tampering_exits_5(self):
        self.assertIn("NOT VERIFIED", self.assertExit(5, "verify", "evidence.jsonl").stdout)

    # -o json, where a command is more than a call

    def json_of(self, *words, code=0, **options):
        return json.loads(self.assertExit(code, *words, "-o", "json", **options).stdout)

    def test_products_and_members_as_json(self):
        product = self.json_of("product", "new")["product"]
        self.assertRegex(product, "^products/prd_")
        partner = self.json_of("partner", "create", "--display-name=Json", "--contact=a@b.example")
        invited = self.json_of("partner", "invite", partner["partner"]["name"], "--dir=json-invitation")
        self.assertEqual(invited, {"invitation": "json-invitation"})
        joined = self.json_of("partner", "join", "json-invitation", "--dir=json")
        self.assertEqual(joined, {"name": partner["partner"]["name"], "transportKeyVersion": 1,
                                  "settings": "json/cli.yaml"})

    def test_batch_and_pen_as_json(self):
        station = self.dir / "station" / "cli.yaml"
        product = self.json_of("station", "list")["stations"][0]["products"][0]
        batch = self.json_of("batch", "create", "--product=" + product, "--lot=JSON", "--count=2",
                             "--file=json.jsonl", config=station)
        self.assertEqual((batch["keys"], batch["file"]), (2, "json.jsonl"))
        self.assertEqual(self.json_of("batch", "confirm", "json.jsonl", config=station),
                         {"batch": batch["batch"], "confirmed": 2, "of": 2})
        self.json_of("batch", "release", batch["batch"], config=station)
        name = [one["name"] for one in self.json_of("partner", "list")["partners"]
                if one["displayName"] == "Insulin Diary"][0]
        self.json_of("grant", "create", name, "--batch=" + batch["batch"], "--purpose=json",
                     "--operation=release-key", "--end-time=+1d", "--justification=test")
        devices = [json.loads(line)["device"] for line in
                   (self.dir / "json.jsonl").read_text().splitlines()[1:]]
        partner = self.dir / "partner" / "cli.yaml"
        read = self.json_of("access", "read", devices[0], "--purpose=json", "--pens=json.jsonl",
                            "--station=station", config=partner)
        self.assertEqual((len(read["doses"]), read["acknowledged"], read["derived"]), (5, 5, False))
        self.assertEqual((read["doses"][0]["units"], read["doses"][4]["last"]), ("12.00", True))
        ended = self.assertExit(4, "access", "batch", ",".join([devices[0], self.devices[0]]),
                                "--purpose=json", "-o", "json", config=partner)
        self.assertEqual([json.loads(line)["outcome"] for line in ended.stdout.splitlines()],
                         ["opened", "refused"])

    def test_evidence_as_json(self):
        self.assertGreater(self.json_of("receipt", "export", "json-evidence.jsonl")["records"], 0)
        good = self.json_of("verify", "whole.jsonl")
        self.assertEqual((good["verified"], good["findings"]), (True, []))
        bad = self.json_of("verify", "evidence.jsonl", code=5)
        self.assertEqual((bad["verified"], bad["findingCount"], len(bad["findings"])), (False, 2, 2))
        self.assertTrue(all(chain["receipts"] > 0 for chain in bad["chains"]))

    def test_json_is_refused_where_there_is_none(self):
        self.assertIn("--output=json", self.assertExit(1, "explain", "KEY_STATE", "-o", "json").stderr)

    # evidence

    def tampered(self, change):
        """A copy of the evidence whose records `change` has changed."""
        lines = (self.dir / "whole.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines[1:-1]]
        change(records)
        path = self.dir / "tampered.jsonl"
        path.write_text("\n".join([lines[0], *map(json.dumps, records),
                                   json.dumps({"records": len(records)})]) + "\n")
        return path

    def of(self, records, kind):
        return [record for record in records if record["type"] == "VERIFICATION_RECORD_TYPE_" + kind]

    def test_whole_evidence_is_good(self):
        ended = self.assertExit(0, "verify", "whole.jsonl")
        self.assertIn("unclean end", ended.stdout)
        self.assertIn("VERIFIED", ended.stdout)

    def assertFound(self, what, change):
        self.assertIn("FOUND: " + what, self.assertExit(5, "verify", self.tampered(change)).stdout)

    def test_receipt_missing(self):
        self.assertFound("receipt missing",
                         lambda records: records.remove(self.of(records, "RECEIPT")[7]))

    def test_receipt_altered(self):
        def change(records):
            record = self.of(records, "RECEIPT")[7]
            changed = bytearray(base64.b64decode(record["encoded"]))
            changed[-1] ^= 1
            record["encoded"] = base64.b64encode(changed).decode()

        self.assertFound("receipt altered", change)

    def test_tail_missing(self):
        def change(records):
            newest = self.of(records, "RECEIPT")[-1]
            facts = self.of(records, "FACT")
            records[records.index(newest):] = facts

        self.assertFound("tail missing", change)

    def test_checkpoint_forged(self):
        def change(records):
            record = self.of(records, "CHECKPOINT")[0]
            changed = bytearray(base64.b64decode(record["encoded"]))
            changed[45] ^= 1
            record["encoded"] = base64.b64encode(changed).decode()

        self.assertFound("checkpoint forged", change)

    def test_another_checkpoint_key(self):
        key = self.dir / "other.pub"
        subprocess.run("openssl ecparam -name secp384r1 -genkey -noout | "
                       "openssl pkey -pubout -outform DER -out %s" % key, shell=True, check=True)
        ended = self.assertExit(5, "verify", "whole.jsonl", "--checkpoint-key=%s" % key)
        self.assertIn("FOUND: checkpoint forged", ended.stdout)

    def test_another_root(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-384", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x",
                        "-sha384", "-out", str(self.dir / "x.pem")], check=True, stderr=subprocess.DEVNULL)
        key = self.mesh.region / "pki" / "checkpoint.pub"
        ended = self.assertExit(5, "verify", "whole.jsonl", "--ca-file=x.pem",
                                "--checkpoint-key=%s" % key)
        self.assertIn("FOUND: capsule forged", ended.stdout)

    # the mesh

    def test_up_restarts_what_dies(self):
        for name in ("cryptocore", "gateway"):
            processes = Processes(self.mesh)
            died = processes.first(name)
            os.kill(died, signal.SIGKILL)
            eventually("%s is back" % name, lambda: processes.first(name) not in (None, died))
            eventually("the status is well again", lambda: self.keyward("status").returncode == 0)
        ended = self.keyward("device", "list", "--page-size=1", check=True)
        self.assertIn("devices/dev_", ended.stdout)
        self.keyward("partner", "invite", self.partner(), "--dir=new-invitation", check=True)
        self.keyward("receipt", "export", "after.jsonl", check=True)
        self.assertIn(" 0 findings", self.assertExit(0, "verify", "after.jsonl").stdout)

    def test_z_clean_stop_closes_the_chain(self):
        database = self.mesh.cell / "data" / "orchestrator.db"
        self.keyward("partner", "invite", self.partner(), "--dir=last-invitation", check=True)
        self.assertEqual(self.mesh.stop(), 0)
        with sqlite3.connect(database) as db:
            newest = db.execute("SELECT core, seq FROM receipts ORDER BY time_ms DESC, seq DESC").fetchone()
            closed = db.execute("SELECT core, seq FROM checkpoints WHERE closed = 1 "
                                "ORDER BY time_ms DESC").fetchone()
        self.assertEqual(closed, newest)
        self.mesh._temporary.cleanup()
        type(self).mesh = None

    def partner(self):
        listed = json.loads(self.keyward("partner", "list", "-o", "json", check=True).stdout)
        return listed["partners"][0]["name"]


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
