/* Copies of an owner's log: chains of entries that only grow, beside its rows and no part of what is merged. Two other
 * cells keep a copy (keepers.h), and ask for it: what chains are there, then what follows in one of them. Who keeps one says
 * in its question how far it is, so nothing needs to be acknowledged.
 *
 *     keeper                                       owner
 *     KW_ASK_CHAINS  behind a name, so much is kept ─▶ names, and how far each goes
 *     KW_ASK_SEGMENT name, after a number           ─▶ what follows there, or nothing
 *
 * The key of a question's place: name ‖ number u64 ‖ the keeper's store. What an entry is, the owner alone knows
 * (struct kw_feed_log). Pure.
 */
#ifndef KW_COMMON_FEED_LOG_COPY_H
#define KW_COMMON_FEED_LOG_COPY_H

#include "common/base/id.h"
#include "common/crypto/digest.h"

#define KW_LOG_NAME_LEN  32U
#define KW_LOG_KEY_LEN   (KW_LOG_NAME_LEN + 8U + KW_ID_LEN)
#define KW_LOG_CHAIN_LEN (KW_LOG_NAME_LEN + 8U)

/* Plain data. */
struct kw_log_chain {
    uint8_t name[KW_LOG_NAME_LEN];
    uint64_t end; /* number of its last entry */
};

/* What a keeper asks. Plain data. */
struct kw_log_ask {
    uint8_t name[KW_LOG_NAME_LEN]; /* of chains: those behind it; zeros: from the first on */
    uint64_t
        number; /* of chains: how many entries are kept of those that are; of a segment: behind which */
    struct kw_id keeper; /* its store: for figures, nobody proves it */
};

/* Does it ask for the first chains, so that `number` is of a whole look? */
bool kw_log_from_start(const struct kw_log_ask *ask);

void kw_log_key_write(const struct kw_log_ask *ask, uint8_t out[KW_LOG_KEY_LEN]);
void kw_log_chain_write(const struct kw_log_chain *chain, uint8_t out[KW_LOG_CHAIN_LEN]);

/* Fails: ENCODING_INVALID. */
struct kw_result kw_log_key_read(struct kw_bytes key, struct kw_log_ask *ret_ask,
                                 struct kw_error *err);
struct kw_result kw_log_chain_read(struct kw_bytes item, struct kw_log_chain *ret_chain,
                                   struct kw_error *err);

#endif
