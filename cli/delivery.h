/* What a station is given for a pen, and the file it keeps it in: one JSON object a line, the batch
 * first, then an item each, as proto3 JSON has them. */
#ifndef KW_CLI_DELIVERY_H
#define KW_CLI_DELIVERY_H

#include "common/base/id.h"
#include "common/rpc/resource.h"
#include "keyward/v1/provisioning_service.pb-c.h"

#include <stdio.h>

#define KW_DELIVERY_WRAPPED_LEN 40
#define KW_DELIVERY_CHECK_LEN   3

/* Plain data; the key in it is wrapped. */
struct kw_delivery {
    char device[KW_RESOURCE_NAME_SIZE];
    struct kw_id device_id;
    uint8_t wrapped_key[KW_DELIVERY_WRAPPED_LEN];
    uint32_t transport_key_version;
    uint8_t check_value[KW_DELIVERY_CHECK_LEN];
};

/* Fails: ENCODING_INVALID (a field is missing or of another size). */
struct kw_result kw_delivery_from_item(const Keyward__V1__BatchItem *item,
                                       struct kw_delivery *ret_delivery, struct kw_error *err);

/* Many of them. Zero-initialise; release with kw_deliveries_done. */
struct kw_deliveries {
    char batch[KW_RESOURCE_NAME_SIZE];
    struct kw_delivery *items;
    size_t count;
    size_t cap;
};

/* Fails: MEMORY. */
struct kw_result kw_deliveries_add(struct kw_deliveries *deliveries,
                                   const struct kw_delivery *delivery, struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_deliveries_done(struct kw_deliveries *deliveries);

/* Reads a file of such lines. Fails: CONFIG_INVALID (missing, or not such lines), MEMORY. */
struct kw_result kw_deliveries_read(const char *path, struct kw_deliveries *deliveries,
                                    struct kw_error *err);

#endif
