#!/usr/bin/python3
"""What the edge will speak of all that a client can offer: the list of protocols, ciphers, curves and signatures is exactly
ours, and nothing of TLS's history works.

    edge_offer_test.py PATH_OF_EDGE_ECHO [unittest arguments]
"""
import re
import socket
import subprocess
import sys
import unittest

from edge_support import TIMEOUT_S, EdgeCase, eventually

BINARY = sys.argv.pop(1)
# What OpenSSL can offer, and whether the edge takes it.
CIPHERS = {"TLS_AES_256_GCM_SHA384": True, "TLS_AES_128_GCM_SHA256": True, "TLS_CHACHA20_POLY1305_SHA256": False,
           "TLS_AES_128_CCM_SHA256": False, "TLS_AES_128_CCM_8_SHA256": False}
GROUPS = {"P-384": True, "P-256": True, "P-521": False, "X25519": False, "X448": False, "ffdhe2048": False,
          "ffdhe3072": False}
SIGNATURES = {"ecdsa_secp256r1_sha256": True, "ECDSA+SHA384": False, "RSA-PSS+SHA256": False, "RSA+SHA256": False,
              "ECDSA+SHA1": False, "ed25519": False}
OLD_PROTOCOLS = ("-tls1_2", "-tls1_1", "-tls1")
OLD_CIPHERS = ("NULL", "aNULL", "EXPORT", "RC4", "3DES", "ECDHE+AES", "kRSA")


class Offers(EdgeCase):
    def client(self, *options, talk=b""):
        """What s_client says of a handshake with these options."""
        return subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.server.port, "-alpn", "h2", "-cert",
             self.world.path("client.pem"), "-key", self.world.path("client.key"), "-CAfile", self.world.ca_file,
             *options], input=talk, capture_output=True, timeout=TIMEOUT_S)

    def takes(self, *options):
        """A handshake that ends well: the server has looked at our certificate and sent its SETTINGS."""
        answer = self.client(*options)
        return b"Verify return code: 0" in answer.stdout and b"alert" not in answer.stderr and \
            re.search(rb"SSL handshake has read \d{3,} bytes", answer.stdout) is not None

    def assertTakesExactly(self, option, offers):
        for offer, taken in offers.items():
            with self.subTest(offer):
                self.assertEqual(self.takes(option, offer), taken)

    def test_ciphers(self):
        self.assertTakesExactly("-ciphersuites", CIPHERS)

    def test_groups(self):
        self.assertTakesExactly("-groups", GROUPS)

    def test_signatures(self):
        """The client's list is for the server's signature: its key is P-256, so that one alone can be used."""
        self.assertTakesExactly("-sigalgs", SIGNATURES)

    def test_old_protocols(self):
        for protocol in OLD_PROTOCOLS:
            for cipher in OLD_CIPHERS:
                with self.subTest(protocol=protocol, cipher=cipher):
                    self.assertFalse(self.takes(protocol, "-cipher", cipher + ":@SECLEVEL=0"))

    def test_best_is_chosen_by_the_server(self):
        answer = self.client("-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384")
        self.assertIn(b"Cipher is TLS_AES_256_GCM_SHA384", answer.stdout)

    def test_nothing_is_compressed_resumed_renegotiated_or_early(self):
        session = self.world.path("session")
        answer = self.client("-sess_out", session, "-comp")
        self.assertIn(b"Compression: NONE", answer.stdout)
        self.assertIn(b"Early data was not sent", answer.stdout)
        self.assertNotIn(b"Max Early Data: 1", answer.stdout)
        again = self.client("-sess_in", session) if b"New Session Ticket" in answer.stdout else self.client()
        self.assertNotIn(b"Reused", again.stdout)
        self.assertIn(b"Secure Renegotiation IS NOT supported", again.stdout)  # TLS 1.3 has none

    def test_a_key_agreed_on_before_is_not_believed(self):
        """A PSK, as a resumed session is one: the server goes on with certificates, or not at all."""
        answer = self.client("-psk", "0" * 64, "-psk_identity", "resumed")
        self.assertNotIn(b"Reused", answer.stdout)
        self.assertTrue(b"Server certificate" in answer.stdout or b"Cipher is (NONE)" in answer.stdout)

    def test_plain_http_2(self):
        """Prior knowledge, and the upgrade of HTTP/1.1: there is no answer in clear, not even a banner."""
        for talk in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
                     b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                     b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", b"\x16\x03\x01", b"SSH-2.0-x\r\n"):
            with self.subTest(talk=talk), socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
                plain.sendall(talk)
                plain.shutdown(socket.SHUT_WR)
                received = b""
                while part := plain.recv(4096):
                    received += part
                self.assertLess(len(received), 16, "an alert at most")
                self.assertFalse(received and received[0] != 0x15, received)
        eventually(lambda: '"class":"not_tls"' in self.server.log_text(), "logged")


if __name__ == "__main__":
    unittest.main(verbosity=2)
