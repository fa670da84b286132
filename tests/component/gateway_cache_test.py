#!/usr/bin/python3
"""The request cache with a real Redis: what it gives when it is right, and that it takes nothing when it is gone,
emptied, poisoned, or mixed up.

    gateway_cache_test.py KEYWARD_GATEWAY GATEWAY_AUTHZ DESCRIPTOR_SET [unittest arguments]
"""
import re
import signal
import unittest

from gateway_support import REDIS_USER, Caller, GatewayCase, Redis, eventually, metric, new_id


class Cache(GatewayCase):
    @classmethod
    def before_gateway(cls):
        cls.redis = cls.enterClassContext(Redis(cls.world))

    @classmethod
    def settings(cls):
        return cls.world.redis_settings()

    def setUp(self):
        super().setUp()
        self.bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))
        self.alice.await_cache()
        self.redis.ask("FLUSHALL")
        self.before = self.alice.stats()

    def create(self, caller=None):
        """One mutation, and the key under which Redis keeps its outcome."""
        known = set(self.redis.keys())
        request_id = new_id()
        name, trailers = (caller or self.alice).create(request_id)
        key, = eventually(lambda: set(self.redis.keys()) - known, "kept")
        return request_id, name, trailers, key

    def look_up(self, key, value, result, create):
        """Puts a value there until the gateway has seen it: on a busy machine a look-up may be late, and then what is right is kept again."""
        count = self.results(result)

        def seen():
            self.redis.ask("SET", key, value)
            create()
            return self.results(result) > count or not eventually(lambda: self.redis.ask("GET", key) != value, "kept again")
        eventually(seen, result)
        self.assertEqual(self.results(result), count + 1)

    def counted(self, name):
        return self.alice.stats()[name] - self.before[name]

    def results(self, result):
        return metric(self.gateway, 'keyward_request_cache_total{result="%s"}' % result)

    def test_replay_is_released_from_the_cache_by_authz_word(self):
        request_id, name, trailers, _ = self.create()
        again, trailers_again = self.alice.create(request_id)
        self.assertEqual(again, name)
        self.assertEqual(trailers_again["keyward-receipt"], trailers["keyward-receipt"])
        self.assertEqual((self.counted("effects"), self.counted("offered"), self.counted("released")),
                         (1, 1, 1))

    def test_what_redis_sees(self):
        request_id, name, _, key = self.create()
        self.assertRegex(key, rb"^[0-9a-f]{64}$")
        self.assertNotIn(request_id.encode(), key)
        self.assertGreater(self.redis.ask("TTL", key), 86_000)

    def test_no_request_id_is_a_command(self):
        """Line breaks, NULs, Redis' own words, ten kilobytes: the key is a digest, and the reply stays in step."""
        self.alice.create(new_id())
        before = sorted(self.redis.keys())
        for hostile in ("\r\nFLUSHALL\r\n", "*1\r\n$8\r\nFLUSHALL\r\n", "a\nb", "\x7f\u2028", "$-1\r\n", "x" * 10240):
            with self.subTest(hostile=hostile[:20]):
                try:
                    self.alice.create(hostile)
                except grpc.RpcError:
                    pass
                self.alice.create(new_id())
        left = sorted(self.redis.keys())
        self.assertTrue(set(before) <= set(left))
        for key in left:
            self.assertRegex(key, rb"^[0-9a-f]{64}$")

    def test_poisoned_value_is_dropped_and_counted(self):
        request_id, name, _, key = self.create()
        value = bytearray(self.redis.ask("GET", key))
        value[3] ^= 1
        self.look_up(key, bytes(value), "forged", lambda: self.assertEqual(self.alice.create(request_id)[0], name))
        self.assertEqual((self.counted("effects"), self.counted("offered")), (1, 0))

    def test_short_value_is_dropped(self):
        request_id, name, _, key = self.create()
        self.redis.ask("SET", key, b"x")
        self.assertEqual(self.alice.create(request_id)[0], name)
        self.assertEqual(self.counted("offered"), 0)

    def test_value_of_another_type_is_no_value(self):
        request_id, name, _, key = self.create()
        self.redis.ask("DEL", key)
        self.redis.ask("LPUSH", key, b"x")
        self.assertEqual(self.alice.create(request_id)[0], name)

    def test_value_moved_from_another_request(self):
        first_id, first_name, _, first_key = self.create()
        _, second_name, _, second_key = self.create()
        self.redis.ask("SET", first_key, self.redis.ask("GET", second_key))
        self.assertNotEqual(first_name, second_name)
        self.assertEqual(self.alice.create(first_id)[0], first_name)
        self.assertEqual(self.counted("offered"), 0)

    def test_value_of_another_caller_moved_under_this_key(self):
        request_id, name, _, key = self.create()
        _, bobs_name, _, bobs_key = self.create(self.bob)
        self.look_up(key, self.redis.ask("GET", bobs_key), "forged", lambda: self.assertEqual(self.alice.create(request_id)[0], name))
        self.assertNotEqual(name, bobs_name)

    def test_same_request_id_of_another_caller_finds_nothing(self):
        request_id, name, _, _ = self.create()
        self.assertNotEqual(self.bob.create(request_id)[0], name)
        self.assertEqual(self.counted("offered"), 0)

    def test_flushed_in_between(self):
        request_id, name, _, key = self.create()
        self.redis.ask("FLUSHALL")
        self.assertEqual(self.alice.create(request_id)[0], name)
        self.assertEqual(self.counted("effects"), 1)
        eventually(lambda: key in self.redis.keys(), "kept again")

    def test_old_outcome_put_back_is_not_released(self):
        """Redis rolls back to a value that was authentic once: authz compares the digest."""
        request_id, _, _, key = self.create()
        old = self.redis.ask("GET", key)
        self.authz_forgets()
        fresh = self.alice.create(request_id)[0]
        self.alice.await_cache()
        released = self.alice.stats()["released"]
        self.look_up(key, old, "stale", lambda: self.assertEqual(self.alice.create(request_id)[0], fresh))
        self.assertEqual(self.alice.stats()["released"], released)

    def authz_forgets(self):
        """A new authz, whose outcomes are other ones from now on."""
        self.redis.ask("FLUSHALL")
        cls = type(self)
        self.assertEqual(cls.authz.stop(), 0, cls.authz.log_text())
        cls.authz = cls.enterClassContext(cls.world.authz())
        eventually(lambda: self.reachable(), "authz is back")

    def reachable(self):
        try:
            return self.alice.partner("p")
        except Exception:  # UNAVAILABLE until the hop is back
            return None

    def test_validate_only_is_not_kept(self):
        self.alice.create(new_id(), validate_only=True)
        self.assertNothingKept()

    def test_malformed_request_id_is_authz_business(self):
        self.alice.create("not-a-uuid")
        self.assertNothingKept()

    def assertNothingKept(self):
        self.alice.await_cache()
        self.assertEqual(len(self.redis.keys()), 1)  # what the wait left

    def test_stopped_in_the_middle(self):
        request_id, name, _, _ = self.create()
        self.redis.stop()
        self.addCleanup(self.alice.await_cache)
        self.addCleanup(self.redis.start)
        self.assertEqual(self.alice.create(request_id)[0], name)
        self.assertEqual(self.alice.create(request_id)[0], name)
        self.assertEqual(self.counted("effects"), 1)

    def test_frozen_costs_milliseconds(self):
        request_id, name, _, _ = self.create()
        self.redis.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.alice.await_cache)
        self.addCleanup(self.redis.process.send_signal, signal.SIGCONT)
        late = self.results("late")
        self.assertEqual(self.alice.create(request_id, timeout=2)[0], name)
        self.assertEqual(self.results("late"), late + 1)
        down = self.results("down")
        eventually(lambda: self.alice.create(request_id)[0] == name and self.results("down") > down,
                   "given up, and not asked any more")

    def test_another_password_is_told_once_and_taken_again(self):
        request_id, name, _, _ = self.create()
        self.redis.ask("ACL", "SETUSER", REDIS_USER, "resetpass", ">another")
        self.addCleanup(self.redis.ask, "ACL", "LOAD")
        lost = self.log_count("request cache not reached")
        self.redis.ask("CLIENT", "KILL", "USER", REDIS_USER)
        eventually(lambda: self.log_count("request cache not reached") > lost, "the connection is gone")
        self.assertEqual(self.alice.create(request_id)[0], name)
        refusals = self.refusals()
        eventually(lambda: self.refusals() > refusals + 1, "tried twice")
        self.assertEqual(self.log_count("refuses our password"), 1)
        self.assertNotIn(self.redis.password, self.gateway.log_text())
        self.redis.ask("ACL", "LOAD")
        self.alice.await_cache()

    def test_what_redis_refuses_is_counted(self):
        self.addCleanup(self.redis.ask, "ACL", "LOAD")
        self.redis.ask("ACL", "SETUSER", REDIS_USER, "-setex", "-get")
        refused = self.results("refused")
        request_id = new_id()
        self.assertEqual(self.alice.create(request_id)[0], self.alice.create(request_id)[0])
        eventually(lambda: self.results("refused") >= refused + 4, "two look-ups, two outcomes")

    def refusals(self):
        found = re.search(rb"cmdstat_auth:.*failed_calls=(\d+)", self.redis.ask("INFO", "commandstats"))
        return int(found.group(1)) if found else 0

    def log_count(self, text):
        return self.gateway.log_text().count(text)

    def test_status_says_that_it_is_gone(self):
        self.redis.stop()
        self.addCleanup(self.alice.await_cache)
        self.addCleanup(self.redis.start)

        def degraded():
            own = self.alice.call("/keyward.v1.StatusService/GetStatus")[0].layers[0]
            return own.state == 2 and own.degradations[0].reason == "PEER_UNAVAILABLE"
        eventually(degraded, "the gateway says so")


if __name__ == "__main__":
    unittest.main()
