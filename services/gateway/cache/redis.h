/* Redis: one connection that is made anew whenever it is lost, and commands with a deadline. Loop
 * thread. */
#ifndef KW_SERVICES_GATEWAY_CACHE_REDIS_H
#define KW_SERVICES_GATEWAY_CACHE_REDIS_H

#include "common/base/bytes.h"
#include "common/loop/loop.h"

#include <netdb.h>

struct kw_redis;
struct kw_redis_command;

enum kw_redis_outcome {
    KW_REDIS_VALUE,   /* a string */
    KW_REDIS_NIL,     /* or any other answer */
    KW_REDIS_DONE,    /* no value: it was done */
    KW_REDIS_REFUSED, /* an error: it may not be done, or makes no sense for what is there */
    KW_REDIS_LATE,    /* no answer within the deadline */
    KW_REDIS_LOST,    /* the connection, before the answer */
};

/* `value` is valid during the call. */
typedef void (*kw_redis_done)(void *user, enum kw_redis_outcome outcome, struct kw_bytes value);

struct kw_redis_options {
    const char *address;       /* host:port, or the path of a Unix socket */
    const char *user;          /* NULL: the one that Redis calls default */
    const char *password_file; /* NULL: it asks for none */
    bool tls;                  /* to host, who must show a certificate with that name */
    const char *ca_file;       /* who certifies it; NULL: whom the system trusts */
};

/* Begins to connect. The password is read once. Fails: CONFIG_INVALID (address, password file, CA
 * file, or what does not go together), MEMORY; CRYPTO; LIMIT_REACHED, SYSTEM (secrets). */
struct kw_result kw_redis_new(struct kw_loop *loop, const struct kw_redis_options *options,
                              struct kw_redis **ret_redis, struct kw_error *err);

/* Commands under way are told LOST at once; `closed` runs when the memory is gone. */
void kw_redis_close(struct kw_redis *redis, void (*closed)(void *context), void *context);

/* Connected, and not behind with its answers. */
bool kw_redis_is_up(const struct kw_redis *redis);

/* Sends a command of `count` words. NULL: not up. `done` (may be NULL) runs once, never before this
 * returns. */
struct kw_redis_command *kw_redis_send(struct kw_redis *redis, const struct kw_bytes *words,
                                       size_t count, kw_redis_done done, void *user);

/* `done` of this command will not run. Not after it has run. */
void kw_redis_forget(struct kw_redis_command *command);

/* Of the addresses of a name each time the next one, and after the last the first: where Redis listens
 * on one of them only, it is found. `turn` begins with 0. Pure. */
const struct sockaddr *kw_redis_next_address(const struct addrinfo *addresses, unsigned *turn);

#endif
