"""The connection: TLS 1.3, both sides with certificates, retries where they are safe."""
import json

import grpc

# UNAVAILABLE means "try again": a mutation carries its request_id, a read may run twice. Everything
# else is for the program to decide; RESOURCE_EXHAUSTED says when in KeywardError.retry_after_s.
SERVICE_CONFIG = {
    "methodConfig": [{
        "name": [{}],  # every method
        # A call that finds the gateway away waits for it, as long as its own timeout, instead of
        # failing at once: then a gateway that has returned serves it at once, too.
        "waitForReady": True,
        "retryPolicy": {
            "maxAttempts": 4,
            "initialBackoff": "0.1s",
            "maxBackoff": "2s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
}


def open_channel(target, root, key, certificate):
    """A channel to `target` ("host:port") that believes `root` and shows `certificate`, all PEM.
    Keep it: one connection carries all calls of a process."""
    credentials = grpc.ssl_channel_credentials(root, key, certificate)
    return grpc.secure_channel(target, credentials, options=[
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        ("grpc.enable_retries", 1),
        # How long it looks away after a connection has failed: no more than two seconds.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ])
