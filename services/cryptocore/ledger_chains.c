/* Chains: one an orchestrator stream, for as long as there is room.
 *
 * A chain whose stream has left is kept, since the orchestrator may only have lost its connection.
 * When the table is full the one that left first goes, those before others all of whose receipts
 * are durable outside. Its stream doesn't come back: beginning at one again it would be a second
 * chain of the same name. An orchestrator that was away for so long starts anew, under another id.
 */
#include "services/cryptocore/ledger_internal.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"

#include <stdlib.h>

struct kw_ledger_chain *kw_ledger_find(struct kw_ledger *ledger, struct kw_id stream)
{
    for (struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
        if (kw_id_equal(chain->chain.stream, stream)) {
            return chain;
        }
    }
    return NULL;
}

bool kw_ledger_is_retired(const struct kw_ledger *ledger, struct kw_id stream)
{
    for (size_t at = 0; at < ledger->retired.len; at += KW_ID_LEN) {
        if (kw_bytes_equal(KW_BYTES(ledger->retired.data + at, KW_ID_LEN), kw_id_bytes(&stream))) {
            return true;
        }
    }
    return false;
}

void kw_ledger_chain_free(struct kw_ledger_chain *chain)
{
    kw_ledger_acknowledge(chain, UINT64_MAX);
    free(chain);
}

static bool has_left(const struct kw_ledger_chain *chain)
{
    return chain->standing == NULL && chain->calls == 0 && !chain->signing;
}

/* Which of two that have left goes first. */
static bool goes_before(const struct kw_ledger_chain *a, const struct kw_ledger_chain *b)
{
    if ((a->unacked_count == 0) != (b->unacked_count == 0)) {
        return a->unacked_count == 0;
    }
    return a->active_ns < b->active_ns;
}

/* NULL: all are in use. */
static struct kw_ledger_chain **first_to_go(struct kw_ledger *ledger)
{
    struct kw_ledger_chain **first = NULL;

    for (struct kw_ledger_chain **at = &ledger->chains; *at != NULL; at = &(*at)->next) {
        if (has_left(*at) && (first == NULL || goes_before(*at, *first))) {
            first = at;
        }
    }
    return first;
}

/* A stream without receipts leaves nothing behind that it could contradict. */
static struct kw_result remember(struct kw_ledger *ledger, const struct kw_ledger_chain *chain,
                                 struct kw_error *err)
{
    if (chain->chain.seq == 0) {
        return KW_OK;
    }
    KW_ENSURE(ledger->retired.len < (size_t)KW_LEDGER_RETIRED_MAX * KW_ID_LEN, err, LIMIT_REACHED,
              "%u retired streams", KW_LEDGER_RETIRED_MAX);
    KW_TRY(kw_buf_append(&ledger->retired, kw_id_bytes(&chain->chain.stream), err));
    ledger->unwitnessed_gone += chain->chain.seq - chain->witnessed;
    KW_LOG(INFO, "receipt chain retired", KW_F_HEX("stream", kw_id_bytes(&chain->chain.stream)),
           KW_F_U64("receipts", chain->chain.seq),
           KW_F_U64("unacknowledged", chain->unacked_count));
    return KW_OK;
}

static struct kw_result make_room(struct kw_ledger *ledger, struct kw_error *err)
{
    struct kw_ledger_chain **at = first_to_go(ledger);
    struct kw_ledger_chain *chain;

    KW_ENSURE(at != NULL, err, LIMIT_REACHED, "%u receipt chains in use", KW_LEDGER_CHAINS_MAX);
    chain = *at;
    KW_TRY(remember(ledger, chain, err));
    *at = chain->next;
    ledger->chain_count--;
    kw_ledger_chain_free(chain);
    return KW_OK;
}

struct kw_result kw_ledger_get(struct kw_ledger *ledger, struct kw_id stream,
                               struct kw_ledger_chain **ret_chain, struct kw_error *err)
{
    struct kw_ledger_chain *chain = kw_ledger_find(ledger, stream);

    if (chain == NULL) {
        KW_ENSURE(!kw_ledger_is_retired(ledger, stream), err, PEER_UNAVAILABLE,
                  "the stream left and its chain was given up: start the orchestrator anew");
        if (ledger->chain_count == KW_LEDGER_CHAINS_MAX) {
            KW_TRY(make_room(ledger, err));
        }
        chain = calloc(1, sizeof(*chain));
        KW_ENSURE(chain != NULL, err, MEMORY, "receipt chain");
        chain->ledger = ledger;
        chain->chain.core = ledger->boot_id;
        chain->chain.stream = stream;
        chain->active_ns = kw_clock_mono_ns();
        chain->unacked_tail = &chain->unacked;
        chain->next = ledger->chains;
        ledger->chains = chain;
        ledger->chain_count++;
    }
    *ret_chain = chain;
    return KW_OK;
}
