/* Is a store what a cell says it is? What a cell, or its gateway, says is nobody's word; a store's voucher (KWV1) is its owner's. */
#ifndef KW_CLI_VOUCHED_H
#define KW_CLI_VOUCHED_H

#include "common/feed/voucher.h"
#include "keyward/v1/status_service.pb-c.h"

/* What is believed, and which place is asked about. Borrows. */
struct kw_vouching {
    const struct kw_trust *root; /* that every services CA is below */
    const char *trust_domain;
    const char *place; /* "region/cell" */
    uint64_t now_ms;
};

/* By its voucher alone: is this store, with the id it is shown by, at the place? Then `ret_why` is NULL, and `ret_voucher` borrows
 * from `shown`. Else it says why not. Fails: CRYPTO, MEMORY. */
struct kw_result kw_vouched_read(const struct kw_vouching *vouching,
                                 const Keyward__V1__Store *shown, struct kw_voucher *ret_voucher,
                                 const char **ret_why, struct kw_error *err);

#endif
