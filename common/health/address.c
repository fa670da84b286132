/* Where a service is asked. */
#include "common/health/address.h"

#include "common/base/bytes.h"

#include <string.h>

/* All addresses, and the one that stands for them. */
static const struct {
    const char *all;
    const char *loopback;
} wildcards[] = {
    {"0.0.0.0", "127.0.0.1"},
    {"::", "::1"},
};

static const char *loopback_of(const char *host)
{
    for (size_t i = 0; i < sizeof(wildcards) / sizeof(wildcards[0]); i++) {
        if (strcmp(host, wildcards[i].all) == 0) {
            return wildcards[i].loopback;
        }
    }
    return host;
}

static void copy_text(char *to, const char *from, size_t len)
{
    kw_copy(to, from, len);
    to[len] = '\0';
}

struct kw_result kw_health_address(const char *listen, struct kw_health_address *ret_address,
                                   struct kw_error *err)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon != NULL ? (size_t)(colon - listen) : 0;
    size_t port_len = colon != NULL ? strlen(colon + 1) : 0;
    char host[KW_HEALTH_HOST_SIZE];

    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    KW_ENSURE(len > 0 && len < sizeof(host) && port_len > 0 && port_len < sizeof(ret_address->port),
              err, CONFIG_INVALID, "expected host:port");
    KW_ENSURE(strspn(colon + 1, "0") < port_len, err, CONFIG_INVALID,
              "port 0 is another one each time: set one");
    copy_text(host, listen, len);
    copy_text(ret_address->port, colon + 1, port_len);
    copy_text(ret_address->host, loopback_of(host), strlen(loopback_of(host)));
    return KW_OK;
}
