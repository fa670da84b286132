/* What the edge counts, for /metrics and for tests. */
#ifndef KW_SERVICES_GATEWAY_EDGE_STATS_H
#define KW_SERVICES_GATEWAY_EDGE_STATS_H

#include <stdint.h>

#define KW_EDGE_STATS(X)                                                                           \
    X(ACCEPTED, "accepted")                       /* connections taken */                          \
    X(REFUSED_TOTAL, "refused_total")             /* closed at accept: limits.connections */       \
    X(REFUSED_ADDRESS, "refused_address")         /* limits.connections_per_address */             \
    X(REFUSED_HANDSHAKES, "refused_handshakes")   /* limits.handshakes */                          \
    X(HANDSHAKE_DONE, "handshake_done")                                                            \
    X(HANDSHAKE_FAILED, "handshake_failed")                                                        \
    X(CUT_WASTE, "cut_waste")                     /* the waste budget was used up */               \
    X(CUT_KEY_UPDATES, "cut_key_updates")                                                          \
    X(CUT_HTTP2, "cut_http2")                     /* nghttp2 ended the session: floods, errors */  \
    X(CUT_HEADERS, "cut_headers")                 /* a header list of 4 times the limit */         \
    X(CUT_TLS, "cut_tls")                         /* a record that does not decrypt */             \
    X(CUT_STALLED, "cut_stalled")                 /* the peer takes nothing */                     \
    X(CUT_LATE, "cut_late")                       /* half-sent headers, or grace over */           \
    X(CALLS, "calls")                             /* given to the handler */                       \
    X(CALLS_REFUSED, "calls_refused")             /* answered here */                              \
    X(RELOADED, "reloaded")                                                                        \
    X(RELOAD_FAILED, "reload_failed")

enum kw_edge_stat {
#define X(name, label) KW_EDGE_STAT_##name,
    KW_EDGE_STATS(X)
#undef X
    KW_EDGE_STAT_COUNT_
};

struct kw_edge;

/* How often it happened since the edge was made. Loop thread. */
uint64_t kw_edge_stat(const struct kw_edge *edge, enum kw_edge_stat stat);

/* Metric label, e.g. "cut_waste". */
const char *kw_edge_stat_label(enum kw_edge_stat stat);

/* Inside the edge: it happened. */
void kw_edge_count(struct kw_edge *edge, enum kw_edge_stat stat);

#endif
