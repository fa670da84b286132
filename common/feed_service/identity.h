/* Who an owner is to the mesh: the key it signs its lanes with, the certificate it vouches for itself with,
 * and whose vouchers and orders it believes. Loaded before the feed is opened, since the store's id follows from it
 * (kw_feed_options.vouchers is its `trust`, and `orders` its `orders`); renewed by the feed service.
 *
 * The lanes' key is a file of its own, which outlives certificates: what it signed stays good. */
#ifndef KW_COMMON_FEED_SERVICE_IDENTITY_H
#define KW_COMMON_FEED_SERVICE_IDENTITY_H

#include "common/feed/order.h"
#include "common/feed/voucher.h"

struct kw_feed_identity {
    const char *credentials_dir;
    struct kw_private_key key; /* of our lanes; any thread may use it */
    struct kw_credentials
        credentials; /* this and `trust`: the thread of write jobs' from then on */
    struct kw_voucher_trust trust;
    struct kw_order_trust orders; /* whose orders about stores are believed: of the start */
};

struct kw_feed_identity_options {
    const char *trust_domain;
    const char *region;
    const char *cell;
    const char *service;         /* "authz", "orchestrator" */
    const char *credentials_dir; /* outlives the identity */
    const char *lane_key_file;   /* P-256, PEM, mode 0600; made if it is not there */
    const char *
        pki_dir; /* with the first officer's certificate (common/pki/officer.h); NULL: none is known */
};

/* Blocks on files. On failure nothing is left. Fails: CONFIG_INVALID (names, credentials, the officer; a key file that
 * is open to others, no regular file, or holds no P-256 key), ARGUMENT_INVALID (names), SYSTEM, CRYPTO,
 * MEMORY. */
struct kw_result kw_feed_identity_load(struct kw_feed_identity *identity,
                                       const struct kw_feed_identity_options *options,
                                       struct kw_error *err);

/* Accepts zeroed. */
void kw_feed_identity_done(struct kw_feed_identity *identity);

#endif
