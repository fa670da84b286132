/* Address text and comparison. */
#include "services/gateway/edge/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPV6_SUBSCRIBER_LEN 8 /* bytes of a /64 */
#define PORT_MAX            65535

static bool parse_port(const char *text, in_port_t *ret_port)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port > PORT_MAX) {
        return false;
    }
    *ret_port = htons((uint16_t)port);
    return true;
}

static bool parse_host(const char *host, in_port_t port, bool v6, struct kw_edge_address *address)
{
    *address = (struct kw_edge_address){0};
    if (v6) {
        address->at.v6.sin6_family = AF_INET6;
        address->at.v6.sin6_port = port;
        return inet_pton(AF_INET6, host, &address->at.v6.sin6_addr) == 1;
    }
    address->at.v4.sin_family = AF_INET;
    address->at.v4.sin_port = port;
    return inet_pton(AF_INET, host, &address->at.v4.sin_addr) == 1;
}

struct kw_result kw_edge_address_parse(const char *text, struct kw_edge_address *ret_address,
                                       struct kw_error *err)
{
    const char *colon = strrchr(text, ':');
    bool v6 = text[0] == '[';
    struct kw_edge_address address;
    char host[KW_EDGE_ADDRESS_SIZE];
    in_port_t port;
    int len;

    KW_ENSURE(colon != NULL && (!v6 || (colon > text + 1 && colon[-1] == ']')), err, CONFIG_INVALID,
              "address %s: expected host:port", text);
    KW_ENSURE(parse_port(colon + 1, &port), err, CONFIG_INVALID, "address %s: port", text);
    len = (int)(colon - text) - (v6 ? 2 : 0);
    KW_ENSURE(len < (int)sizeof(host), err, CONFIG_INVALID, "address %s: too long", text);
    (void)snprintf(host, sizeof(host), "%.*s", len, text + (v6 ? 1 : 0));
    KW_ENSURE(parse_host(host, port, v6, &address), err, CONFIG_INVALID,
              "address %s: not an IP address", text);
    *ret_address = address;
    return KW_OK;
}

int kw_edge_address_port(const struct kw_edge_address *address)
{
    return ntohs(address->at.any.sa_family == AF_INET6 ? address->at.v6.sin6_port
                                                       : address->at.v4.sin_port);
}

void kw_edge_address_text(const struct kw_edge_address *address, char *text)
{
    bool v6 = address->at.any.sa_family == AF_INET6;
    char host[INET6_ADDRSTRLEN] = "?";

    (void)inet_ntop(address->at.any.sa_family,
                    v6 ? (const void *)&address->at.v6.sin6_addr
                       : (const void *)&address->at.v4.sin_addr,
                    host, sizeof(host));
    (void)snprintf(text, KW_EDGE_ADDRESS_SIZE, v6 ? "[%s]:%d" : "%s:%d", host,
                   kw_edge_address_port(address));
}

bool kw_edge_address_same_source(const struct kw_edge_address *a, const struct kw_edge_address *b)
{
    if (a->at.any.sa_family != b->at.any.sa_family) {
        return false;
    }
    if (a->at.any.sa_family == AF_INET6) {
        return memcmp(&a->at.v6.sin6_addr, &b->at.v6.sin6_addr, IPV6_SUBSCRIBER_LEN) == 0;
    }
    return a->at.v4.sin_addr.s_addr == b->at.v4.sin_addr.s_addr;
}

bool kw_edge_address_same_host(const struct kw_edge_address *a, const struct kw_edge_address *b)
{
    if (a->at.any.sa_family == AF_INET6 && b->at.any.sa_family == AF_INET6) {
        return IN6_ARE_ADDR_EQUAL(&a->at.v6.sin6_addr, &b->at.v6.sin6_addr);
    }
    return kw_edge_address_same_source(a, b);
}
