/* Identifiers: 16 random bytes, shown as a prefix and 26 lower-case base32 digits (RFC 4648, no
 * padding). */
#ifndef KW_COMMON_BASE_ID_H
#define KW_COMMON_BASE_ID_H

#include "common/base/bytes.h"

#define KW_ID_LEN       16
#define KW_ID_TEXT_SIZE 32 /* prefix (4) + 26 digits + NUL, rounded up */

struct kw_id {
    uint8_t bytes[KW_ID_LEN];
};

enum kw_id_kind {
    KW_ID_PARTNER,     /* prt_ */
    KW_ID_STATION,     /* sta_ */
    KW_ID_OPERATOR,    /* opr_ */
    KW_ID_INVITATION,  /* inv_ */
    KW_ID_DEVICE,      /* dev_ */
    KW_ID_KEY,         /* key_ one key version */
    KW_ID_BATCH,       /* bat_ */
    KW_ID_PRODUCT,     /* prd_ */
    KW_ID_GRANT,       /* grt_ */
    KW_ID_CERTIFICATE, /* crt_ */
    KW_ID_PROPOSAL,    /* prp_ */
    KW_ID_RECEIPT,     /* rcp_ */
    KW_ID_SUSPENSION,  /* sus_ */
    KW_ID_REQUEST,     /* req_ */
    KW_ID_COUNT_,
};

#define KW_ID_NONE ((struct kw_id){{0}})

static inline struct kw_bytes kw_id_bytes(const struct kw_id *id)
{
    return KW_BYTES(id->bytes, KW_ID_LEN);
}

bool kw_id_equal(struct kw_id a, struct kw_id b);
bool kw_id_is_none(struct kw_id id);

/* 16 bytes from the random source: for locators and anything that must not tell when it was made.
 */
struct kw_result kw_id_random(struct kw_id *ret_id, struct kw_error *err);

/* UUIDv7 (RFC 9562): sorts by time of creation. Fails: SYSTEM (no randomness). */
struct kw_result kw_id_v7(struct kw_id *ret_id, struct kw_error *err);

/* From exactly 16 bytes. Fails: ARGUMENT_INVALID. */
struct kw_result kw_id_from_bytes(struct kw_bytes bytes, struct kw_id *ret_id,
                                  struct kw_error *err);

/* From a setting's value: 32 hex digits, not all of them 0. `text` NULL: none. Fails: CONFIG_INVALID (with the
 * setting's name). */
struct kw_result kw_id_from_setting(const char *name, const char *text, struct kw_id *ret_id,
                                    struct kw_error *err);

/* Writes e.g. "dev_aebagbafaydqqcikbmga2dqpca"; `text` has KW_ID_TEXT_SIZE bytes. Returns `text`.
 */
char *kw_id_text(enum kw_id_kind kind, struct kw_id id, char *text);

/* Reads the same, strictly: prefix, length, alphabet, and zero padding bits. Fails:
 * ARGUMENT_INVALID. */
struct kw_result kw_id_parse(enum kw_id_kind kind, struct kw_bytes text, struct kw_id *ret_id,
                             struct kw_error *err);

#endif
