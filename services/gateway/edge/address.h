/* Addresses of listeners and clients. */
#ifndef KW_SERVICES_GATEWAY_EDGE_ADDRESS_H
#define KW_SERVICES_GATEWAY_EDGE_ADDRESS_H

#include "common/base/result.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define KW_EDGE_ADDRESS_SIZE 56 /* "[" + INET6_ADDRSTRLEN + "]:65535" and the NUL */

struct kw_edge_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
};

/* Reads "127.0.0.1:8443" or "[::1]:8443"; no names. Fails: CONFIG_INVALID. */
struct kw_result kw_edge_address_parse(const char *text, struct kw_edge_address *ret_address,
                                       struct kw_error *err);

/* Writes the same form; `text` has KW_EDGE_ADDRESS_SIZE bytes. */
void kw_edge_address_text(const struct kw_edge_address *address, char *text);

/* The same client as far as limits go: the same IPv4 address, or the same IPv6 /64, which is what
 * one subscriber is given. */
bool kw_edge_address_same_source(const struct kw_edge_address *a, const struct kw_edge_address *b);

/* The very same address, whatever the ports. */
bool kw_edge_address_same_host(const struct kw_edge_address *a, const struct kw_edge_address *b);
int kw_edge_address_port(const struct kw_edge_address *address);

#endif
