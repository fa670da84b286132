/* Heads of receipt chains on the feed. Nothing here asks for another cell's: they are kept so that a
 * chain can be held to them wherever it is looked at, and one that forked is told when it is merged. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_HEAD_FEED_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_HEAD_FEED_H

#include "common/audit/checkpoint.h"
#include "common/feed/feed.h"

/* `record` is the checkpoint, KWK1. Fails: as kw_feed_change. */
struct kw_result kw_receipt_head_say(const struct kw_feed_tx *feed_tx,
                                     const struct kw_checkpoint *checkpoint, struct kw_bytes record,
                                     struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_receipt_head_check(const struct kw_record *record, struct kw_error *err);

#endif
