/* Request cache: outcomes of mutations, kept in Redis for those who ask the same again. It makes
 * replays cheap and nothing else: everything works, and is right, when Redis is gone, slow, empty,
 * or hostile.
 *
 * Every command has KW_REQUEST_CACHE_COMMAND_MS; then the call goes on without. Loop thread.
 */
#ifndef KW_SERVICES_GATEWAY_CACHE_REQUEST_CACHE_H
#define KW_SERVICES_GATEWAY_CACHE_REQUEST_CACHE_H

#include "common/loop/loop.h"
#include "services/gateway/cache/entry.h"
#include "services/gateway/cache/redis.h"

struct kw_request_cache;
struct kw_cache_get; /* a look-up under way */

/* Connects now, and whenever the connection is lost; `key_file` as kw_cache_secret_load. That Redis is
 * absent, or refuses us, is no failure. Fails: CONFIG_INVALID (key file), and as kw_redis_new. */
struct kw_result kw_request_cache_new(struct kw_loop *loop, const struct kw_redis_options *options,
                                      const char *key_file, struct kw_request_cache **ret_cache,
                                      struct kw_error *err);

/* Look-ups under way find nothing, at once. `closed` runs when the memory is gone. */
void kw_request_cache_close(struct kw_request_cache *cache, void (*closed)(void *context),
                            void *context);

/* Is it connected and answering? */
bool kw_request_cache_is_up(const struct kw_request_cache *cache);

/* The key of a request. Fails: CRYPTO, MEMORY. */
struct kw_result kw_request_cache_key(const struct kw_request_cache *cache,
                                      const struct kw_request_name *name,
                                      struct kw_cache_key *ret_key, struct kw_error *err);

/* Looks an outcome up. NULL: the cache is down; `done` will not run. Otherwise it runs once, later,
 * with an outcome whose MAC is right (valid during it), or with none. */
struct kw_cache_get *
kw_request_cache_get(struct kw_request_cache *cache, const struct kw_cache_key *key,
                     void (*done)(void *user, bool found, struct kw_bytes outcome), void *user);

/* `done` of this look-up will not run. Accepts NULL; not after `done` has run. */
void kw_request_cache_forget(struct kw_cache_get *get);

/* Keeps an outcome for KW_REQUEST_CACHE_TTL_S, if the cache is up and the outcome is not too long.
 */
void kw_request_cache_put(struct kw_request_cache *cache, const struct kw_cache_key *key,
                          struct kw_bytes outcome);

#endif
