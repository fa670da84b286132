/* KEK and MAC key on their way to a region: `KWT1` (docs/formats.md). For one request's carrier, and no other's. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_CARRIED_H
#define KW_SERVICES_CRYPTOCORE_REGION_CARRIED_H

#include "services/cryptocore/hsm/carry.h"
#include "services/cryptocore/region/request.h"

/* The info of the agreement: a label and the request's digest. Appends. Fails: MEMORY. */
struct kw_result kw_region_carried_info(const uint8_t request_digest[KW_SHA256_LEN],
                                        struct kw_buf *info, struct kw_error *err);

/* Appends the record. Fails: MEMORY. */
struct kw_result kw_region_carried_write(const struct kw_hsm_carried *carried,
                                         const uint8_t request_digest[KW_SHA256_LEN],
                                         struct kw_buf *record, struct kw_error *err);

/* Fails: ENCODING_INVALID, BINDING_INVALID (carried for another request). */
struct kw_result kw_region_carried_read(struct kw_bytes record,
                                        const uint8_t request_digest[KW_SHA256_LEN],
                                        struct kw_hsm_carried *ret, struct kw_error *err);

#endif
