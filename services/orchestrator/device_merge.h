/* Devices as cells tell one another. Key: the device's id. */
#ifndef KW_SERVICES_ORCHESTRATOR_DEVICE_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_DEVICE_MERGE_H

#include "common/sync/record.h"

enum kw_device_field {
    KW_DEVICE_FIELD_BATCH = 1,
    KW_DEVICE_FIELD_POSITION,
    KW_DEVICE_FIELD_PRODUCT,
    KW_DEVICE_FIELD_CREATED,
    KW_DEVICE_FIELD_BINDINGS,  /* key version ‖ serial number: what a pen proved to be */
    KW_DEVICE_FIELD_CONFIRMED, /* since when, and where first */
    KW_DEVICE_FIELD_RELEASED,
    KW_DEVICE_FIELD_END_,
};

extern const struct kw_record_kind kw_device_record;

/* Did two cells confirm it as different pens? Both are kept; somebody has to look. */
bool kw_device_record_disputed(const struct kw_record *record);

#endif
