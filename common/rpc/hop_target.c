/* A target that is a name: looked up every few seconds, one link for each address it has. An
 * address that is gone loses its link once the link's stream is lost: what still answers is not
 * thrown away. */
#include "common/base/log.h"
#include "common/rpc/hop_client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define LINK_TARGET_SIZE (INET6_ADDRSTRLEN + 32)

struct kw_hop_target {
    struct kw_hop_target *next;
    struct kw_hop_client *client;
    uv_getaddrinfo_t lookup;
    struct kw_timer timer;
    bool looking;
    bool closing; /* waits for what is outstanding */
    bool timer_closed;
    char *port; /* into `host` */
    char host[];
};

static void release(struct kw_hop_target *target)
{
    struct kw_hop_client *client = target->client;

    if (target->timer_closed && !target->looking) {
        free(target);
        kw_hop_client_released(client);
    }
}

/* --- links of the addresses found --- */

static bool text_of(const struct kw_hop_target *target, const struct addrinfo *found, char *text)
{
    char address[INET6_ADDRSTRLEN];

    if (found->ai_family == AF_INET &&
        uv_ip4_name((const struct sockaddr_in *)(const void *)found->ai_addr, address,
                    sizeof(address)) == 0) {
        (void)snprintf(text, LINK_TARGET_SIZE, "ipv4:%s:%s", address, target->port);
        return true;
    }
    if (found->ai_family == AF_INET6 &&
        uv_ip6_name((const struct sockaddr_in6 *)(const void *)found->ai_addr, address,
                    sizeof(address)) == 0) {
        (void)snprintf(text, LINK_TARGET_SIZE, "ipv6:[%s]:%s", address, target->port);
        return true;
    }
    return false;
}

static struct kw_hop_link *find_link(const struct kw_hop_target *target, const char *text)
{
    const struct kw_hop_client *client = target->client;

    for (size_t i = 0; i < client->link_count; i++) {
        if (client->links[i]->origin == target && strcmp(client->links[i]->target, text) == 0) {
            return client->links[i];
        }
    }
    return NULL;
}

static void keep_link(struct kw_hop_target *target, const char *text)
{
    struct kw_hop_link *link = find_link(target, text);

    if (link == NULL && !kw_ok(kw_hop_link_new(target->client, text, target, &link, NULL))) {
        return; /* no room or no memory: the next lookup tries again */
    }
    link->listed = true;
}

static void drop_unlisted(struct kw_hop_target *target)
{
    struct kw_hop_client *client = target->client;
    size_t kept = 0;

    for (size_t i = 0; i < client->link_count; i++) {
        struct kw_hop_link *link = client->links[i];

        if (link->origin == target && !link->listed && link->stream == NULL) {
            kw_hop_link_close(link);
        } else {
            client->links[kept++] = link;
        }
    }
    client->link_count = kept;
}

static void on_found(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct kw_hop_target *target = lookup->data;
    char text[LINK_TARGET_SIZE];

    target->looking = false;
    if (target->closing) {
        release(target);
    } else if (status != 0) {
        KW_LOG(DEBUG, "hop target cannot be looked up", KW_F_STR("host", target->host),
               KW_F_STR("cause", uv_strerror(status)));
    } else {
        for (size_t i = 0; i < target->client->link_count; i++) {
            struct kw_hop_link *link = target->client->links[i];

            link->listed = link->origin != target;
        }
        for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
            if (text_of(target, one, text)) {
                keep_link(target, text);
            }
        }
        drop_unlisted(target);
    }
    uv_freeaddrinfo(found);
}

static void on_timer(struct kw_timer *timer)
{
    struct kw_hop_target *target = KW_CONTAINER(timer, struct kw_hop_target, timer);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    if (!target->looking) {
        target->lookup.data = target;
        target->looking =
            uv_getaddrinfo(kw_loop_uv(kw_rpc_loop(target->client->rpc)), &target->lookup, on_found,
                           target->host, NULL, &hints) == 0;
    }
}

/* --- adding and closing --- */

static bool is_address(const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];

    return host[0] == '[' || uv_inet_pton(AF_INET, host, address) == 0;
}

static struct kw_result target_new(struct kw_hop_client *client, const char *text,
                                   struct kw_hop_target **ret_target, struct kw_error *err)
{
    size_t len = strlen(text);
    struct kw_hop_target *target = calloc(1, sizeof(*target) + len + 1);
    char *colon;

    KW_ENSURE(target != NULL, err, MEMORY, "hop target");
    kw_copy(target->host, text, len);
    colon = strrchr(target->host, ':');
    if (colon == NULL || colon == target->host || colon[1] == '\0') {
        free(target);
        KW_FAIL(err, CONFIG_INVALID, "hop: target %s is not host:port", text);
    }
    *colon = '\0';
    target->port = colon + 1;
    target->client = client;
    *ret_target = target;
    return KW_OK;
}

struct kw_result kw_hop_target_add(struct kw_hop_client *client, const char *text,
                                   struct kw_error *err)
{
    struct kw_hop_target *target;
    struct kw_hop_link *link;

    KW_TRY(target_new(client, text, &target, err));
    if (is_address(target->host)) {
        free(target);
        return kw_hop_link_new(client, text, NULL, &link, err);
    }
    target->next = client->targets;
    client->targets = target;
    client->alive++;
    kw_timer_init(&target->timer, kw_rpc_loop(client->rpc), on_timer);
    kw_timer_start(&target->timer, 0, KW_HOP_RESOLVE_INTERVAL_MS);
    return KW_OK;
}

static void on_timer_closed(struct kw_timer *timer)
{
    struct kw_hop_target *target = KW_CONTAINER(timer, struct kw_hop_target, timer);

    target->timer_closed = true;
    release(target);
}

void kw_hop_targets_close(struct kw_hop_client *client)
{
    struct kw_hop_target *target = client->targets;

    client->targets = NULL;
    while (target != NULL) {
        struct kw_hop_target *next = target->next;

        target->closing = true;
        kw_timer_close(&target->timer, on_timer_closed);
        target = next;
    }
}
