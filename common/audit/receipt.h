/* Receipts: the crypto core's record of one use of keys, capsule included. Record `KWR1`
 * (docs/formats.md). How receipts form a chain is chain.h's business.
 */
#ifndef KW_COMMON_AUDIT_RECEIPT_H
#define KW_COMMON_AUDIT_RECEIPT_H

#include "common/audit/merkle.h"
#include "common/base/codec.h"
#include "common/base/id.h"

/* What was done with one key. Plain data; `outcome` is borrowed. */
struct kw_receipt_item {
    struct kw_id key;
    struct kw_id device;
    struct kw_bytes outcome; /* empty: success; else the reason's name in errors.def */
    struct kw_hash result;   /* SHA-256 of what was delivered; zero: nothing was */
};

/* Plain data; every kw_bytes is borrowed: from the decoded record, or from whoever filled the
 * struct. */
struct kw_receipt {
    struct kw_id id;
    struct kw_id core;   /* boot id */
    struct kw_id stream; /* boot id of the orchestrator's stream */
    uint64_t seq;        /* dense from 1 */
    struct kw_hash prev; /* head before; zero for seq 1 */
    uint64_t time_ms;    /* the core's wall clock, since 1970 */
    struct kw_bytes region;
    struct kw_bytes cell;
    struct kw_bytes capsule; /* KWS1 */
    struct kw_bytes signer;  /* authz's leaf certificate, DER */
    uint16_t item_count;
    struct kw_bytes items; /* `item_count` encoded items; see kw_receipt_item_* */
};

/* Appends the record. Fails: ARGUMENT_INVALID (fields do not go together: see kw_receipt_decode),
 * MEMORY (or a field over 65,535 bytes). */
struct kw_result kw_receipt_encode(const struct kw_receipt *receipt, struct kw_buf *out,
                                   struct kw_error *err);

/* Reads a record strictly, its items included; verifies neither capsule nor chain. `ret_receipt`
 * borrows from `record`. Fails: ENCODING_INVALID (truncated, too long, no text where text belongs,
 * seq 0, seq 1 with a head before it). */
struct kw_result kw_receipt_decode(struct kw_bytes record, struct kw_receipt *ret_receipt,
                                   struct kw_error *err);

/* Builds the items in `list` (zero-initialised by the caller) and counts; afterwards `receipt`
 * borrows from `list`. Fails: ARGUMENT_INVALID (the outcome is no text, or a failed item has a
 * result), LIMIT_REACHED (65,535 items), MEMORY. */
struct kw_result kw_receipt_item_add(struct kw_receipt *receipt, struct kw_buf *list,
                                     const struct kw_receipt_item *item, struct kw_error *err);

/* Takes the next item of a decoded receipt: start with KW_READER(receipt.items) and call item_count
 * times. Failures stick to the reader; a decoded receipt has none. */
void kw_receipt_item_next(struct kw_reader *items, struct kw_receipt_item *ret_item);

/* The head after this receipt: SHA-256("KEYWARD-HEAD-v1" ‖ record). Fails: CRYPTO, MEMORY. */
struct kw_result kw_receipt_head(struct kw_bytes record, struct kw_hash *ret_head,
                                 struct kw_error *err);

#endif
