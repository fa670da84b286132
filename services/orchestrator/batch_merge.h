/* Batches as cells tell one another. Key: the batch's id, which is drawn by the cell that makes it. So
 * one CreateBatch that two cells were asked for makes two batches, each whole, and no pen of either
 * is lost; batch_table.h says which one it stands for. */
#ifndef KW_SERVICES_ORCHESTRATOR_BATCH_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_BATCH_MERGE_H

#include "common/sync/record.h"

enum kw_batch_field {
    KW_BATCH_FIELD_STATION = 1,
    KW_BATCH_FIELD_REQUEST, /* of the CreateBatch call */
    KW_BATCH_FIELD_PRODUCT,
    KW_BATCH_FIELD_LOT,
    KW_BATCH_FIELD_COUNT,
    KW_BATCH_FIELD_CREATED,
    KW_BATCH_FIELD_RELEASED, /* its first pen was */
    KW_BATCH_FIELD_END_,
};

extern const struct kw_record_kind kw_batch_record;

#endif
