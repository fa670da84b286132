/* Devices. A cell confirms a device once; two cells may at once, usually the same pen twice, which
 * is one binding. Two bindings are two pens that claim to be one device, and which of them is wrong
 * no clock can tell: so this is no last-writer-wins group. */
#include "services/orchestrator/device_merge.h"

#include "common/sync/grow_set.h"

static const struct kw_field_kind fields[KW_DEVICE_FIELD_END_] = {
    [KW_DEVICE_FIELD_BATCH] = {"batch", KW_RULE_ONCE},
    [KW_DEVICE_FIELD_POSITION] = {"position", KW_RULE_ONCE},
    [KW_DEVICE_FIELD_PRODUCT] = {"product", KW_RULE_ONCE},
    [KW_DEVICE_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_DEVICE_FIELD_BINDINGS] = {"bindings", KW_RULE_RIVALS},
    [KW_DEVICE_FIELD_CONFIRMED] = {"confirmed", KW_RULE_FIRST},
    [KW_DEVICE_FIELD_RELEASED] = {"released", KW_RULE_FIRST},
};

const struct kw_record_kind kw_device_record = {
    .table = KW_TABLE_DEVICES, .name = "devices", KW_RECORD_FIELDS(fields)};

bool kw_device_record_disputed(const struct kw_record *record)
{
    return kw_set_count(kw_record_value(record, KW_DEVICE_FIELD_BINDINGS)) > 1;
}
