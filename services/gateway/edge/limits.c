/* The edge's limits: what the options leave at 0 gets the default of common/base/limits.h. */
#include "services/gateway/edge/edge_internal.h"

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if (limits->field == 0) {                                                                  \
            limits->field = (value);                                                               \
        }                                                                                          \
    } while (0)

void kw_edge_limits_complete(struct kw_edge_limits *limits)
{
    DEFAULT(message_len, KW_BODY_LEN_MAX);
    DEFAULT(header_list_len, KW_EDGE_HEADER_LIST_LEN_MAX);
    DEFAULT(streams, KW_EDGE_STREAMS_MAX);
    DEFAULT(calls, KW_EDGE_CALLS_MAX);
    DEFAULT(connections, KW_EDGE_CONNECTIONS_MAX);
    DEFAULT(connections_per_address, KW_EDGE_CONNECTIONS_PER_ADDRESS_MAX);
    DEFAULT(handshakes, KW_EDGE_HANDSHAKES_MAX);
    DEFAULT(buffered_per_connection, KW_EDGE_BUFFERED_PER_CONNECTION_MAX);
    DEFAULT(buffered, KW_EDGE_BUFFERED_MAX);
    DEFAULT(waste_len, KW_EDGE_WASTE_LEN_MAX);
    DEFAULT(handshake_ms, KW_EDGE_HANDSHAKE_MS);
    DEFAULT(idle_ms, KW_EDGE_IDLE_MS);
    DEFAULT(header_ms, KW_EDGE_HEADER_MS);
    DEFAULT(message_ms, KW_EDGE_MESSAGE_MS);
    DEFAULT(stall_ms, KW_EDGE_STALL_MS);
    DEFAULT(age_ms, KW_EDGE_AGE_MS);
    DEFAULT(age_grace_ms, KW_EDGE_AGE_GRACE_MS);
}
