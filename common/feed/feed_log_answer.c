/* The owner knows what its log is; here it becomes items. */
#include "common/feed/feed_log_answer.h"

#include "common/base/limits.h"

static struct kw_result add_chain(struct kw_answering *a, const struct kw_log_chain *chain,
                                  struct kw_error *err)
{
    struct kw_log_ask next = {0};
    uint8_t *item = kw_arena_alloc(a->arena, KW_LOG_CHAIN_LEN);
    uint8_t *key = kw_arena_alloc(a->arena, KW_LOG_KEY_LEN);

    KW_ENSURE(item != NULL && key != NULL, err, MEMORY, "a chain of the log");
    kw_log_chain_write(chain, item);
    kw_copy(next.name, chain->name, KW_LOG_NAME_LEN);
    kw_log_key_write(&next, key);
    return kw_answering_add(a, KW_BYTES(item, KW_LOG_CHAIN_LEN), KW_BYTES(key, KW_LOG_KEY_LEN),
                            err);
}

static struct kw_result add_chains(struct kw_answering *a, const struct kw_log_ask *ask,
                                   struct kw_error *err)
{
    struct kw_log_chain *chains = kw_arena_alloc(a->arena, KW_LOG_CHAINS_MAX * sizeof(*chains));
    size_t count;

    KW_ENSURE(chains != NULL, err, MEMORY, "the chains of the log");
    KW_TRY(a->feed->options.log->chains(a->tx, ask->name, chains, KW_LOG_CHAINS_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(add_chain(a, &chains[i], err));
    }
    if (count < KW_LOG_CHAINS_MAX) {
        a->next = a->ask->from; /* that was all */
    }
    return KW_OK;
}

static struct kw_result add_segment(struct kw_answering *a, const struct kw_log_ask *ask,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf segment = {0};
    struct kw_bytes copy;

    KW_TRY(a->feed->options.log->read(a->tx, ask, &segment, err));
    if (segment.len == 0) {
        return KW_OK;
    }
    KW_TRY(kw_arena_copy(a->arena, kw_buf_bytes(&segment), &copy, err));
    return kw_answering_add(a, copy, a->ask->from.key, err);
}

struct kw_result kw_answering_log(struct kw_answering *a, struct kw_error *err)
{
    struct kw_log_ask ask;

    KW_ENSURE(a->feed->options.log != NULL, err, ARGUMENT_INVALID, "there is no log here");
    KW_TRY(kw_log_key_read(a->ask->from.key, &ask, err));
    return a->ask->purpose == KW_ASK_CHAINS ? add_chains(a, &ask, err) : add_segment(a, &ask, err);
}
