#!/usr/bin/python3
"""The gateway as a real gRPC client (grpcio) sees it, with a stand-in for authz behind it.

    gateway_test.py KEYWARD_GATEWAY GATEWAY_AUTHZ DESCRIPTOR_SET [unittest arguments]
"""
import json
import os
import queue
import re
import resource
import signal
import socket
import threading
import time
import unittest
from urllib.request import urlopen

from gateway_support import (CALLER_URI, TIMEOUT_S, Caller, GatewayCase, World, details, eventually, failure, messages,
                             metric, new_id, wait_for_authz)

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto

GET_PARTNER = "/keyward.v1.PartnerService/GetPartner"
OFFICER_URI = CALLER_URI + "operator/opr_" + "a" * 26
BATCH = "/keyward.v1.DeviceAccessService/BatchGetDeviceAccess"
SOURCE = "/keyward.v1.ReceiptService/GetVerificationData"
STATUS = "/keyward.v1.StatusService/GetStatus"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
REFLECTION_ALPHA = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
SOURCE_BYTES = 200 * 64 * 1024
Code = grpc.StatusCode


def batch(item_id, padding=0):
    """A raw BatchGetDeviceAccessRequest of one item; unknown fields make it longer."""
    item = messages("keyward.v1.BatchAccessItem")(item_id=item_id)
    request = messages("keyward.v1.BatchGetDeviceAccessRequest")(items=[item]).SerializeToString()
    return request + (b"\xfa\x01" + varint(padding) + b"x" * padding if padding else b"")


def varint(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


class Questions:
    """A request iterator that the test feeds."""

    def __init__(self):
        self.queue = queue.Queue()

    def put(self, message):
        self.queue.put(message)

    def close(self):
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


def begin_upload(caller):
    """A unary call that sends its headers, and a request that waits."""
    request = Questions()
    return caller.channel.stream_unary(GET_PARTNER).future(iter(request)), request


def finish_upload(call, request):
    request.put(messages("keyward.v1.GetPartnerRequest")(name="p").SerializeToString())
    request.close()
    return call.code()


class Unary(GatewayCase):
    def test_answer_and_receipt(self):
        answer, trailers = self.alice.call(GET_PARTNER, name="partners/p")
        self.assertEqual(answer.partner.name, "partners/p")
        self.assertRegex(trailers["keyward-receipt"], r"^receipts/rcp_[a-z2-7]{26}$")

    def test_what_is_durable_here_alone_is_said_to_be(self):
        self.assertEqual(self.alice.call(GET_PARTNER, name="alone")[1].get("keyward-durability"), "LOCAL_ONLY")
        self.assertNotIn("keyward-durability", self.alice.call(GET_PARTNER, name="partners/p")[1])

    def durability(self, *words, **fields):
        """What is said of a change for which these were sent as keyward-wait."""
        metadata = [("keyward-wait", word) for word in words]
        return self.alice.create(new_id(), metadata=metadata, **fields)[1].get("keyward-durability")

    def test_how_far_a_change_got_is_said_to_who_waits_for_it(self):
        self.assertEqual(self.durability("ALL"), "ALL")
        self.assertEqual(self.durability("REGION"), "REGION")
        self.assertEqual(self.durability("ALL", partner={"display_name": "dark"}), "CELL")
        self.assertIsNone(self.durability("LOCAL"))
        self.assertIsNone(self.durability())

    def test_a_wait_that_says_nothing_is_refused(self):
        for words in (("all",), ("EVERYWHERE",), ("",), ("ALL", "ALL")):
            error = failure(lambda: self.durability(*words))
            self.assertEqual(details(error)[1]["ErrorInfo"].reason, "METADATA_INVALID", words)
        error = failure(lambda: self.alice.partner("p", metadata=[("keyward-wait", "ALL")]))
        self.assertEqual(details(error)[1]["ErrorInfo"].reason, "METADATA_INVALID", "it changes nothing")

    def test_authz_learns_who_called_from_where(self):
        self.assertRegex(self.alice.partner("p").display_name, r"^127\.0\.0\.1:\d+$")

    def test_trace_goes_on(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        seen = self.alice.partner("p", metadata=(("traceparent", trace),)).contact
        self.assertEqual(seen[:36], trace[:36])
        self.assertNotEqual(seen, trace)

    def test_trace_begins_here(self):
        self.assertRegex(self.alice.partner("p").contact, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-00$")

    def test_deadline_is_the_clients(self):
        self.assertLessEqual(self.alice.partner("p", timeout=2).transport_key_version, 2000)

    def test_deadline_is_capped_by_the_method(self):
        left = self.alice.partner("p", timeout=3600).transport_key_version
        self.assertLessEqual(left, 10_000)
        self.assertGreater(left, 5_000)

    def test_signature_arrives(self):
        before = self.alice.stats()["signatures"]
        self.alice.create(new_id(), metadata=(("keyward-signature-bin", b"\0\1\2"),))
        self.assertEqual(self.alice.stats()["signatures"], before + 1)

    def test_many_at_once(self):
        _, request, response = messages.method(GET_PARTNER)
        unary = self.alice.channel.unary_unary(GET_PARTNER, request.SerializeToString, response.FromString)
        calls = [unary.future(request(name=str(i)), timeout=TIMEOUT_S) for i in range(500)]
        self.assertEqual([call.result().partner.name for call in calls], [str(i) for i in range(500)])

    def test_access_log_has_a_line_without_the_body(self):
        self.alice.partner("not-for-the-log", metadata=(("x-request-id", "log-me-7"),))
        line = eventually(lambda: [line for line in self.gateway.log_text().splitlines()
                                   if "log-me-7" in line], "a line")[0]
        self.assertEqual(json.loads(line)["method"], "GetPartner")
        self.assertNotIn("not-for-the-log", self.gateway.log_text())


class Errors(GatewayCase):
    def raw(self, path, body):
        return lambda: self.alice.channel.unary_unary(path)(body, timeout=TIMEOUT_S)

    def test_unknown_method(self):
        self.assertRefused(self.raw("/keyward.v1.PartnerService/Nothing", b""), Code.UNIMPLEMENTED,
                           "METHOD_UNKNOWN")

    def test_broken_protobuf(self):
        self.assertRefused(self.raw(GET_PARTNER, b"\x0a\xff"), Code.INVALID_ARGUMENT, "ENCODING_INVALID")

    def test_truncated_protobuf(self):
        whole = messages("keyward.v1.GetPartnerRequest")(name="partners/p").SerializeToString()
        for length in range(1, len(whole)):
            self.assertRefused(self.raw(GET_PARTNER, whole[:length]), Code.INVALID_ARGUMENT, "ENCODING_INVALID")

    def test_string_that_is_not_utf_8(self):
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xe2\x82"):
            self.assertRefused(self.raw(GET_PARTNER, b"\x0a" + varint(len(bad)) + bad), Code.INVALID_ARGUMENT,
                               "ENCODING_INVALID")

    def test_nul_in_a_string(self):
        self.assertRefused(self.raw(GET_PARTNER, b"\x0a\x02a\0"), Code.INVALID_ARGUMENT, "ENCODING_INVALID")

    def test_no_message(self):
        empty = self.alice.channel.stream_unary(GET_PARTNER)
        self.assertRefused(lambda: empty(iter(()), timeout=TIMEOUT_S), Code.INVALID_ARGUMENT,
                           "ENCODING_INVALID")

    def test_two_messages(self):
        two = self.alice.channel.stream_unary(GET_PARTNER)
        self.assertRefused(lambda: two(iter((b"", b"")), timeout=TIMEOUT_S), Code.INVALID_ARGUMENT,
                           "ENCODING_INVALID")

    def test_too_large_is_the_edges_error_with_details(self):
        self.assertRefused(self.raw(GET_PARTNER, b"x" * (256 * 1024 + 1)), Code.RESOURCE_EXHAUSTED,
                           "BODY_TOO_LARGE")

    def test_bad_request_names_the_field(self):
        error, found = self.assertRefused(lambda: self.alice.partner("refuse/ARGUMENT_INVALID"),
                                          Code.INVALID_ARGUMENT, "ARGUMENT_INVALID")
        violation = found["BadRequest"].field_violations[0]
        self.assertEqual((violation.field, violation.description), ("name", "Words for the caller."))
        self.assertEqual(error.details(), "Words for the caller.")

    def test_retry_info_is_what_authz_said(self):
        _, found = self.assertRefused(lambda: self.alice.partner("refuse/RATE_LIMITED"),
                                      Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        self.assertEqual(found["RetryInfo"].retry_delay.ToMilliseconds(), 1500)

    def test_every_error_says_what_its_row_says_and_nothing_else(self):
        """Whatever failed inside: no SQL, no path, no version, no name of a file leaves."""
        with open(os.path.join(os.path.dirname(__file__), "../../docs/errors.md")) as page:
            rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in page if line.startswith("| `")]
        self.assertGreater(len(rows), 40)
        for reason, code, text in ((row[0].strip("`"), row[1].strip("`"), row[2]) for row in rows):
            error = failure(lambda: self.alice.partner("plain/" + reason, timeout=TIMEOUT_S))
            with self.subTest(reason):
                status, found = details(error)
                self.assertEqual((error.code().name, error.details()), (code, text))
                self.assertEqual((status.message, found["ErrorInfo"].reason), (text, reason))
                self.assertEqual(dict(found["ErrorInfo"].metadata), {})
                self.assertLessEqual(set(found), {"ErrorInfo", "RetryInfo", "RequestInfo", "BadRequest"})
                self.assertEqual(found["RequestInfo"].serving_data, "")

    def test_request_info_is_the_callers(self):
        _, found = self.assertRefused(
            lambda: self.alice.partner("plain/NOT_FOUND", metadata=(("x-request-id", "mine-1"),)),
            Code.NOT_FOUND, "NOT_FOUND")
        self.assertEqual(found["RequestInfo"].request_id, "mine-1")
        self.assertEqual(set(found), {"ErrorInfo", "RequestInfo"})

    def test_success_without_a_message_is_not_success(self):
        self.assertRefused(lambda: self.alice.partner("none"), Code.INTERNAL, "INTERNAL")

    def test_two_answers_are_not_an_answer(self):
        self.assertRefused(lambda: self.alice.partner("two"), Code.INTERNAL, "INTERNAL")

    def test_deadline(self):
        before = self.alice.stats()["cancelled"]
        error = failure(lambda: self.alice.partner("hold", timeout=0.3))
        self.assertEqual(error.code(), Code.DEADLINE_EXCEEDED)
        eventually(lambda: self.alice.stats()["cancelled"] > before, "authz learns of it")

    def test_cancel_reaches_authz(self):
        before = self.alice.stats()
        call = self.hold(self.alice)
        call.cancel()
        eventually(lambda: self.alice.stats()["cancelled"] > before["cancelled"], "cancelled")

    def test_lost_connection_cancels(self):
        before = self.alice.stats()
        with Caller(self.world, self.gateway, self.world.bob) as bob:
            call = self.hold(bob)
        eventually(lambda: self.alice.stats()["cancelled"] > before["cancelled"], "cancelled")
        self.assertFalse(call.code() is Code.OK)

    def hold(self, caller):
        """A call that authz has and does not answer."""
        before = self.alice.stats()["held"]
        _, request, _ = messages.method(GET_PARTNER)
        call = caller.channel.unary_unary(GET_PARTNER).future(
            request(name="hold").SerializeToString(), timeout=TIMEOUT_S)
        eventually(lambda: self.alice.stats()["held"] > before, "authz holds it")
        return call


class Streams(GatewayCase):
    def test_both_ways(self):
        sent = [batch(i) for i in range(20, 320)]
        self.assertEqual(list(self.alice.stream(BATCH, iter(sent))), sent)

    def test_ping_pong(self):
        questions = Questions()
        answers = self.alice.stream(BATCH, iter(questions))
        for i in range(20, 40):
            questions.put(batch(i))
            self.assertEqual(next(answers), batch(i))
        questions.close()
        self.assertEqual(list(answers), [])

    def test_no_message_at_all(self):
        self.assertEqual(list(self.alice.stream(BATCH, iter(()))), [])

    def test_large_messages_through_both_windows(self):
        sent = [batch(i, 200_000) for i in range(20, 60)]
        self.assertEqual(list(self.alice.stream(BATCH, iter(sent))), sent)

    def test_broken_message_in_the_middle(self):
        self.assertRefused(lambda: list(self.alice.stream(BATCH, iter((batch(20), b"\x0a\xff")))),
                           Code.INVALID_ARGUMENT, "ENCODING_INVALID")

    def test_authz_that_takes_nothing_stops_the_client(self):
        taken = []

        def upload():
            yield batch(13)
            for i in range(200):
                taken.append(i)
                yield batch(20, 200_000)
        before = self.alice.stats()["received"]
        call = self.alice.stream(BATCH, upload())
        eventually(lambda: self.alice.stats()["received"] - before > 300_000, "credit is used")
        self.alice.partner("others go on")
        self.assertLess(self.alice.stats()["received"] - before, 800_000)
        self.assertLess(len(taken), 50)
        call.cancel()

    def test_client_that_takes_nothing_stops_authz(self):
        before = self.alice.stats()["source"]
        call = self.alice.stream(SOURCE, b"")
        next(call)
        eventually(lambda: self.alice.stats()["source"] > before, "it flows")
        for _ in range(50):
            self.alice.partner("others go on")
        self.assertLess(self.alice.stats()["source"] - before, 200)
        self.assertEqual(64 * 1024 + sum(len(message) for message in call), SOURCE_BYTES)
        self.assertEqual(call.code(), Code.OK)

    def test_cancel_of_a_stream(self):
        before = self.alice.stats()["cancelled"]
        questions = Questions()
        call = self.alice.stream(BATCH, iter(questions))
        questions.put(batch(20))
        next(call)
        call.cancel()
        questions.close()
        eventually(lambda: self.alice.stats()["cancelled"] > before, "cancelled")


class Status(GatewayCase):
    def test_own_layer_comes_first(self):
        answer, _ = self.alice.call(STATUS)
        self.assertEqual([layer.layer for layer in answer.layers], ["gateway", "authz", "cryptocore"])
        own = answer.layers[0]
        self.assertEqual((own.region, own.cell, own.state), ("r1", "a", 1))
        self.assertRegex(own.instance, r"^[0-9a-f]{32}$")

    def test_reflection_lists_services(self):
        for path in (REFLECTION, REFLECTION_ALPHA):
            answer = self.reflect(path, list_services="*")[0]
            names = [service.name for service in answer.list_services_response.service]
            self.assertIn("keyward.v1.DeviceAccessService", names)
            self.assertIn("grpc.health.v1.Health", names)
            self.assertFalse([name for name in names if "internal" in name])

    def reflect(self, path, **question):
        _, request, response = messages.method(path)
        questions = Questions()
        call = self.alice.stream(path, iter(questions))
        answers = []
        for _ in range(2):  # the client keeps the call open and asks again
            questions.put(request(**question).SerializeToString())
            answers.append(response.FromString(next(call)))
        questions.close()
        self.assertEqual(list(call), [])
        return answers

    def test_reflection_of_a_symbol_brings_what_it_imports(self):
        answer = self.reflect(REFLECTION, file_containing_symbol="google.rpc.Status")[0]
        files = [FileDescriptorProto.FromString(raw).name
                 for raw in answer.file_descriptor_response.file_descriptor_proto]
        self.assertEqual(files, ["google/rpc/status.proto", "google/protobuf/any.proto"])

    def test_reflection_of_the_unknown_is_an_answer(self):
        answer = self.reflect(REFLECTION, file_containing_symbol="keyward.internal.v1.Hop")[0]
        self.assertEqual(answer.error_response.error_code, Code.NOT_FOUND.value[0])

    def test_reflection_of_garbage(self):
        self.assertRefused(lambda: list(self.alice.stream(REFLECTION, iter((b"\xff",)))),
                           Code.INVALID_ARGUMENT, "ENCODING_INVALID")

    def test_health_of_the_unknown(self):
        self.assertRefused(lambda: self.alice.call(CHECK, service="keyward.v1.Nothing"), Code.NOT_FOUND,
                           "NOT_FOUND")

    def health(self, service):
        return self.alice.call(CHECK, service=service)[0].status

    def test_lost_hsm_takes_out_what_needs_it(self):
        self.addCleanup(self.alice.call, STATUS)
        self.addCleanup(self.alice.partner, "hsm/on")
        self.alice.partner("hsm/off")
        self.alice.call(STATUS)
        self.assertEqual(self.health("keyward.v1.DeviceAccessService"), 2)
        self.assertEqual(self.health("keyward.v1.GrantService"), 1)
        self.assertEqual(self.health(""), 1)

    def test_watch_tells_changes(self):
        _, request, response = messages.method(WATCH)
        watch = self.alice.channel.unary_stream(WATCH, request.SerializeToString, response.FromString)(
            request(service="keyward.v1.DeviceAccessService"), timeout=TIMEOUT_S)
        self.assertEqual(next(watch).status, 1)
        self.alice.partner("hsm/off")
        self.alice.call(STATUS)
        self.assertEqual(next(watch).status, 2)
        self.alice.partner("hsm/on")
        self.alice.call(STATUS)
        self.assertEqual(next(watch).status, 1)
        watch.cancel()

    def test_watch_of_the_unknown_stays_open(self):
        _, request, response = messages.method(WATCH)
        watch = self.alice.channel.unary_stream(WATCH, request.SerializeToString, response.FromString)(
            request(service="keyward.v1.Nothing"), timeout=TIMEOUT_S)
        self.assertEqual(next(watch).status, 3)
        watch.cancel()


class Limits(GatewayCase):
    SETTINGS = {"calls_max": 8, "caller_calls_max": 6, "caller_rate_max": 1000000}

    def fill(self, caller):
        """Holds calls until one is refused, and returns the details of that."""
        _, request, _ = messages.method(GET_PARTNER)

        def one_more():
            call = caller.channel.unary_unary(GET_PARTNER).future(
                request(name="hold").SerializeToString(), timeout=TIMEOUT_S)
            self.addCleanup(call.cancel)
            return self.refusal(caller)
        return eventually(one_more, "full")

    def test_caller_and_total(self):
        bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))
        bob.partner("connected")
        found = self.fill(self.alice)
        self.assertGreater(found["RetryInfo"].retry_delay.ToMilliseconds(), 0)
        bob.partner("has room")
        self.fill(bob)
        self.assertGreater(metric(self.gateway, 'keyward_limits_reached_total{limit="calls"}'), 0)

    def refusal(self, caller):
        try:
            caller.partner("one more")
        except grpc.RpcError as error:
            status, found = details(error)
            self.assertEqual((status.code, found["ErrorInfo"].reason), (8, "RATE_LIMITED"))
            return found
        return None


class Overload(GatewayCase):
    """More is asked for than there is: partners are refused at the door, officers get through."""
    SETTINGS = {"calls_max": 32, "caller_calls_max": 32}
    PARTNERS = 28  # of the 32; an eighth is kept
    LATE = 'keyward_limits_reached_total{limit="late"}'

    def setUp(self):
        super().setUp()
        self.officer = self.enterContext(Caller(self.world, self.gateway, self.world.caller(OFFICER_URI)))
        self.request = messages.method(GET_PARTNER)[1](name="hold").SerializeToString()

    def hold(self, caller, count, timeout):
        calls = [caller.channel.unary_unary(GET_PARTNER).future(self.request, timeout=timeout) for _ in range(count)]
        for call in calls:
            self.addCleanup(call.cancel)
        return calls

    def test_officers_get_through_when_partners_fill_it(self):
        before = self.alice.stats()["held"]
        self.hold(self.alice, self.PARTNERS, TIMEOUT_S)
        eventually(lambda: self.officer.stats()["held"] == before + self.PARTNERS, "full of partners")
        bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))
        self.assertRefused(lambda: bob.partner("p"), Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        self.assertEqual(metric(self.gateway, 'keyward_queue_length{queue="calls"}'), self.PARTNERS)
        self.assertEqual(self.officer.partner("p").name, "p")
        self.assertEqual(len(self.officer.create(new_id())), 2)

    def test_who_is_refused_is_heard_less_often(self):
        """Each refusal is followed by a pause, in which nothing more is read from that connection."""
        before = self.alice.stats()["held"]
        self.hold(self.alice, self.PARTNERS, TIMEOUT_S)
        eventually(lambda: self.officer.stats()["held"] == before + self.PARTNERS, "full of partners")
        bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))
        begin = time.monotonic()
        for _ in range(9):
            self.assertRefused(lambda: bob.partner("p"), Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        self.assertGreater(time.monotonic() - begin, 8 * 0.025, "KW_EDGE_PAUSE_MS")

    def test_who_will_not_be_answered_in_time_is_refused_at_the_door(self):
        before = self.alice.stats()["held"]
        calls = self.hold(self.alice, 20, TIMEOUT_S)
        eventually(lambda: self.officer.stats()["held"] == before + 20, "a queue")
        found = eventually(self.refused_for_its_place, "refused")
        self.assertEqual(found["ErrorInfo"].reason, "RATE_LIMITED")
        self.assertGreater(found["RetryInfo"].retry_delay.ToMilliseconds(), 75)
        refused = metric(self.gateway, self.LATE)
        self.assertGreater(refused, 0)
        self.alice.partner("p", timeout=TIMEOUT_S)  # it has the time
        self.impatient(self.officer)
        self.assertEqual(metric(self.gateway, self.LATE), refused)
        for call in calls:
            call.cancel()

    def refused_for_its_place(self):
        """Four behind the queue are late, so that the gateway knows what a place costs; then one that has less time."""
        for call in self.hold(self.alice, 4, 0.5):
            self.assertIn(call.code(), (Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED))  # it may know already
        error = failure(lambda: self.alice.partner("hold", timeout=0.1))
        return details(error)[1] if error.code() == Code.RESOURCE_EXHAUSTED else None

    def test_an_upload_that_takes_its_time_is_no_queue(self):
        """Whoever sends its request slowly waits for itself: that tells nothing of how long others will wait."""
        uploads = [begin_upload(self.alice) for _ in range(20)]
        queue_length = 'keyward_queue_length{queue="calls"}'
        eventually(lambda: metric(self.gateway, queue_length) == len(uploads), "headers of all, a request of none")
        bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))
        late = metric(self.gateway, self.LATE)
        self.assertEqual(self.hold(self.alice, 1, 0.5)[0].code(), Code.DEADLINE_EXCEEDED)  # so long they take
        for call, request in uploads[10:]:
            self.assertEqual(finish_upload(call, request), Code.OK)
            self.impatient(bob)
        self.assertEqual(bob.partner("p").name, "p")
        self.assertEqual(metric(self.gateway, self.LATE), late)
        for call, request in uploads[:10]:
            self.assertEqual(finish_upload(call, request), Code.OK)

    def impatient(self, caller):
        """Is let in, whatever becomes of it."""
        try:
            caller.partner("p", timeout=0.1)
        except grpc.RpcError as error:
            self.assertEqual(error.code(), Code.DEADLINE_EXCEEDED)

    def test_refusals_are_told_in_one_line_a_second(self):
        before = self.alice.stats()["held"]
        self.hold(self.alice, self.PARTNERS, TIMEOUT_S)
        bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))

        def untold():
            with self.assertRaises(grpc.RpcError):
                bob.partner("p")
            return re.findall(r'"msg":"calls refused".*"calls":(\d+)', self.gateway.log_text())
        eventually(lambda: self.officer.stats()["held"] == before + self.PARTNERS, "full of partners")
        told = eventually(untold, "a line that stands for many")
        lines = self.gateway.log_text().count('"reason":"RATE_LIMITED"')
        handled = metric(self.gateway, 'keyward_rpc_handled_total{reason="rate"}')
        self.assertGreaterEqual(handled, int(told[0]))
        self.assertLess(lines, handled)


class NoDeadline(GatewayCase):
    """Whoever sends no deadline is refused for want of time like the others."""
    REQUEST = messages.method(GET_PARTNER)[1](name="hold").SerializeToString()

    def test_who_sends_no_deadline_has_the_default(self):
        error = eventually(lambda: self.refusal(lambda: self.alice.partner("p", timeout=None)), "refused")
        self.assertGreater(details(error)[1]["RetryInfo"].retry_delay.ToMilliseconds(), 7500)

    def test_the_door_is_not_the_last_chance(self):
        """Whoever comes in while there is no queue, and sends its request when there is one, is late like the others."""
        def upload():
            call, request = uploads.pop()
            if finish_upload(call, request) is not Code.OK:
                raise call.exception()

        def refusal():
            uploads.append(begin_upload(self.alice))
            eventually(lambda: metric(self.gateway, 'keyward_queue_length{queue="calls"}') == 1, "its headers are here")
            return self.refusal(upload)
        uploads = []
        error = eventually(refusal, "refused")
        self.assertGreater(details(error)[1]["RetryInfo"].retry_delay.ToMilliseconds(), 7500)

    def refusal(self, call):
        """Nine places cost a second, and 80 come after that: who would wait is late. The error of one that comes then."""
        with Caller(self.world, self.gateway, self.world.caller(OFFICER_URI)) as officer:
            unary = officer.channel.unary_unary(GET_PARTNER)
            officer.partner("connected")  # what waits for that comes in any order
            held = [unary.future(self.REQUEST, timeout=TIMEOUT_S) for _ in range(8)]
            self.assertEqual(unary.future(self.REQUEST, timeout=1).code(), Code.DEADLINE_EXCEEDED)
            held += [unary.future(self.REQUEST, timeout=TIMEOUT_S) for _ in range(80)]
            officer.partner("after them")
            try:
                call()
            except grpc.RpcError as error:
                return error
        return None


class Rate(GatewayCase):
    SETTINGS = {"caller_rate_max": 5}

    def test_rate_of_one_caller(self):
        def refused():
            try:
                self.alice.partner("p")
            except grpc.RpcError as error:
                return details(error)[1]
            return None
        found = eventually(refused, "more than 5 a second")
        self.assertEqual(found["ErrorInfo"].reason, "RATE_LIMITED")
        self.assertLessEqual(found["RetryInfo"].retry_delay.ToMilliseconds(), 1000)


class Descriptors(GatewayCase):
    """Connections take all file descriptors they can get; the last ones are not for them."""

    @classmethod
    def before_gateway(cls):
        """It inherits a soft limit of 300."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, limits[1]))

    def test_probes_and_callers_go_on(self):
        pid = self.gateway.process.pid
        self.alice.partner("connected")
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        self.assertEqual(soft, min(hard, 4096 + 256), "raised to what its connections need")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir("/proc/%d/fd" % pid)) + 40, hard))
        silent = [socket.create_connection(("127.0.0.1", int(self.gateway.ready["port"])), TIMEOUT_S)
                  for _ in range(100)]
        for connection in silent:
            self.addCleanup(connection.close)
        refused = 'keyward_edge_limits_total{limit="descriptors"}'
        eventually(lambda: metric(self.gateway, refused) > 0, "refused, and told at /metrics")
        with urlopen("http://127.0.0.1:%s/readyz" % self.gateway.ready["metrics"], timeout=TIMEOUT_S) as page:
            self.assertEqual(page.status, 200)
        self.assertEqual(self.alice.partner("p").name, "p")
        for connection in silent:
            connection.close()
        bob = self.enterContext(Caller(self.world, self.gateway, self.world.bob))
        eventually(lambda: self.answers(bob), "it takes connections again")

    def answers(self, caller):
        try:
            return caller.partner("p")
        except grpc.RpcError:
            return None


class WithoutAuthz(unittest.TestCase):
    """The gateway is ready once authz is there; without it, it goes on and says what is missing."""

    def setUp(self):
        self.world = self.enterContext(World())
        with self.world.authz():
            self.gateway = self.enterContext(self.world.gateway())
        self.alice = self.enterContext(Caller(self.world, self.gateway, self.world.alice))
        eventually(lambda: self.alice.call(CHECK, service="")[0].status == 2, "authz is missed")

    def test_peer_unavailable_until_it_comes(self):
        error = failure(lambda: self.alice.partner("p"))
        self.assertEqual(error.code(), Code.UNAVAILABLE)
        _, found = details(error)
        self.assertEqual(found["ErrorInfo"].reason, "PEER_UNAVAILABLE")
        self.assertGreater(found["RetryInfo"].retry_delay.ToMilliseconds(), 0)
        with self.world.authz():
            wait_for_authz(self.alice)

    def test_status_names_the_unreachable(self):
        answer, _ = self.alice.call(STATUS)
        self.assertEqual([(layer.layer, layer.state) for layer in answer.layers],
                         [("gateway", 1), ("authz", 4), ("orchestrator", 4), ("cryptocore", 4)])
        self.assertEqual(answer.state, 3)

    def test_health(self):
        self.assertEqual(self.alice.call(CHECK, service="")[0].status, 2)
        self.assertEqual(self.alice.call(CHECK, service="keyward.v1.StatusService")[0].status, 1)
        with self.world.authz():
            eventually(lambda: self.alice.call(CHECK, service="")[0].status == 1, "serving")
        eventually(lambda: self.alice.call(CHECK, service="")[0].status == 2, "not serving")

    def test_killed_with_a_call_in_flight(self):
        authz = self.world.authz()
        wait_for_authz(self.alice)
        _, request, _ = messages.method(GET_PARTNER)
        call = self.alice.channel.unary_unary(GET_PARTNER).future(
            request(name="hold").SerializeToString(), timeout=TIMEOUT_S)
        self.alice.partner("after it")
        authz.stop(signal.SIGKILL)
        authz.log.close()
        self.assertEqual(call.code(), Code.UNAVAILABLE)
        self.assertEqual(details(call.exception())[1]["ErrorInfo"].reason, "PEER_UNAVAILABLE")
        with self.world.authz():
            wait_for_authz(self.alice)


class Drain(unittest.TestCase):
    def test_standing_calls_end_and_work_finishes(self):
        with World() as world, world.authz(), world.gateway() as gateway, \
                Caller(world, gateway, world.alice) as alice:
            wait_for_authz(alice)
            _, request, response = messages.method(WATCH)
            watch = alice.channel.unary_stream(WATCH, request.SerializeToString, response.FromString)(
                request(), timeout=TIMEOUT_S)
            next(watch)
            questions = Questions()
            stream = alice.stream(BATCH, iter(questions))
            questions.put(batch(20))
            next(stream)
            gateway.process.send_signal(signal.SIGTERM)
            self.assertEqual(failure(lambda: next(watch)).code(), Code.UNAVAILABLE)
            questions.put(batch(21))
            self.assertEqual(next(stream), batch(21))
            questions.close()
            self.assertEqual(list(stream), [])
            self.assertEqual(gateway.process.wait(TIMEOUT_S), 0)


class Metrics(GatewayCase):
    def test_outcomes_are_counted(self):
        failure(lambda: self.alice.partner("plain/KEY_STATE"))
        eventually(lambda: metric(self.gateway, 'keyward_rpc_handled_total{reason="key_state"}') == 1, "counted")


if __name__ == "__main__":
    threading.current_thread().name = "test"
    unittest.main()
