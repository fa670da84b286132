/* Orders about the stores of a cell: drawn up by what live cells know, signed, handed in to each of them.
 *
 * The officer's key need not be where the mesh is: an order is a file, signed with openssl (docs/runbook.md). */
#ifndef KW_CLI_ORDER_H
#define KW_CLI_ORDER_H

#include "cli/vouched.h"
#include "common/base/arena.h"
#include "common/crypto/key.h"
#include "common/feed/order.h"
#include "keyward/v1/status_service.pb-c.h"

struct kw_order_sight;
struct kw_order_claim;
struct kw_order_key;

/* A store that a cell shows, and that does not count. */
struct kw_order_doubt {
    struct kw_order_doubt *next;
    unsigned cell; /* the first that is asked is 1 */
    struct kw_bytes store;
    const char *why;
};

/* What is to be ordered, as more and more cells are asked. Zeroed, but for `arena`, `vouching`, `order.action` and `again`. */
struct kw_order_draft {
    struct kw_arena *arena;
    struct kw_vouching vouching; /* its place is the one whose stores are ordered about */
    bool again; /* FENCE: stores that are fenced, too, so that less is waited for */
    struct kw_order order;
    unsigned cells;                /* that were asked */
    struct kw_order_sight *sights; /* of the stores at the place, by which of them */
    struct kw_order_doubt *doubts; /* of the last that was asked first */
    struct kw_order_claim *claims; /* of what they hold */
    struct kw_order_key *keys;     /* which they know */
    unsigned unproven;             /* lanes of which a cell said what does not count */
};

/* What one cell knows: stores at the place, and how far it holds their lanes. Which stores are there is not its word: each counts by
 * its voucher, and so do its mesh and the life it lives. So one that is in wrong hands has nobody else's stores
 * ordered about, and those that it makes up cost nothing. How far somebody holds a lane is not his word either: a
 * number counts as its store signed it, by a key that another one of the cells knows, too, or the only one that is asked. So
 * one that is in wrong hands neither raises the fence nor takes a key away. Of what several hold the most counts.
 * Fails: ENCODING_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_order_draft_add(struct kw_order_draft *draft,
                                    const Keyward__V1__ListStoresResponse *known,
                                    struct kw_error *err);

/* What is to be signed, appended: KWO1 without its signature, issued now. Fails: NOT_FOUND (no store there that this
 * can be ordered of), ARGUMENT_INVALID (as many cells show stores of one mesh as of another), LIMIT_REACHED (too many
 * stores or lanes), CRYPTO, MEMORY. */
struct kw_result kw_order_draft_end(struct kw_order_draft *draft, struct kw_buf *content,
                                    struct kw_error *err);

/* Signs with the officer's key, a file of mode 0600, and appends the record. Fails: CONFIG_INVALID, ARGUMENT_INVALID, CRYPTO,
 * MEMORY. */
struct kw_result kw_order_sign(struct kw_bytes content, const char *key_file, struct kw_buf *record,
                               struct kw_error *err);

#endif
