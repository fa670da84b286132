/* Key versions as cells tell one another. Key: the key version's id, so two cells that make a key
 * for one device at once make two versions, and neither overwrites the other. What state one is in
 * is the fold of its facts (fact_merge.h), and its wrapped keys are rows of their own
 * (wrapped_key_merge.h). */
#ifndef KW_SERVICES_ORCHESTRATOR_KEY_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_KEY_MERGE_H

#include "common/sync/record.h"

enum kw_key_field {
    KW_KEY_FIELD_DEVICE = 1,
    KW_KEY_FIELD_VERSION,
    KW_KEY_FIELD_CREATED,
    KW_KEY_FIELD_CHECK_VALUE,
    KW_KEY_FIELD_DELIVERY, /* version u32 of the station's transport key ‖ the key under it */
    KW_KEY_FIELD_END_,
};

extern const struct kw_record_kind kw_key_record;

/* May what is kept for the station be given to it still? */
bool kw_key_record_deliverable(const struct kw_record *record);

#endif
