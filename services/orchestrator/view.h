/* Views: rows and records as the messages of the public API, made in one call's arena.
 *
 * When the arena is exhausted nothing is refused at once: what is made from then on lands in one
 * scratch place, and kw_view_whole and kw_view_pack, which every answer passes, fail. So that a view
 * reads as the list of its fields. What was not found whole must not be read.
 */
#ifndef KW_SERVICES_ORCHESTRATOR_VIEW_H
#define KW_SERVICES_ORCHESTRATOR_VIEW_H

#include "common/audit/envelope.h"
#include "common/audit/receipt.h"
#include "common/base/arena.h"
#include "common/lifecycle/table.h"
#include "common/pki/spiffe.h"
#include "common/rpc/resource.h"
#include "services/orchestrator/batch_table.h"
#include "services/orchestrator/device_table.h"
#include "services/orchestrator/fact_table.h"
#include "services/orchestrator/key_table.h"

#include <keyward/v1/common.pb-c.h>
#include <keyward/v1/device.pb-c.h>
#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/provisioning_service.pb-c.h>
#include <keyward/v1/receipt_service.pb-c.h>

#define KW_VIEW_SCRATCH_LEN 512

struct kw_view {
    struct kw_arena *arena;
    bool exhausted;
    _Alignas(max_align_t) uint8_t scratch[KW_VIEW_SCRATCH_LEN];
};

void kw_view_init(struct kw_view *view, struct kw_arena *arena);

/* An initialised message; never NULL. */
void *kw_view_message(struct kw_view *view, const ProtobufCMessageDescriptor *descriptor);

/* An array of `count` pointers; NULL when exhausted, and then the caller makes no elements. */
void *kw_view_pointers(struct kw_view *view, size_t count);

/* From here on there is no memory. NULL. */
void *kw_view_exhaust(struct kw_view *view);

/* In the builds for tests each caller may be the one without memory (common/base/fault.h). */
#ifdef KW_FAULTS
#define KW_VIEW_FAULT(view)           ((void)(KW_FAULT() ? kw_view_exhaust(view) : NULL))
#define kw_view_message(view, type)   (KW_VIEW_FAULT(view), kw_view_message((view), (type)))
#define kw_view_pointers(view, count) (KW_VIEW_FAULT(view), kw_view_pointers((view), (count)))
#endif

/* Texts; never NULL. */
char *kw_view_name(struct kw_view *view, enum kw_resource kind, struct kw_id id);
char *kw_view_name2(struct kw_view *view, enum kw_resource kind, struct kw_id outer,
                    struct kw_id id);
char *kw_view_id(struct kw_view *view, enum kw_id_kind kind, struct kw_id id);
char *kw_view_text(struct kw_view *view, struct kw_bytes text);

/* Bytes are copied: what they came from may be a statement's or a message's. */
ProtobufCBinaryData kw_view_bytes(struct kw_view *view, struct kw_bytes bytes);
ProtobufCBinaryData kw_view_id_bytes(struct kw_view *view, struct kw_id id);

/* NULL for 0: "absent". */
Google__Protobuf__Timestamp *kw_view_time(struct kw_view *view, uint64_t ms);

/* All that was made so far may be read. Fails: MEMORY. */
struct kw_result kw_view_whole(const struct kw_view *view, struct kw_error *err);

/* Packs into the arena. Fails: MEMORY. */
struct kw_result kw_view_pack(struct kw_view *view, const ProtobufCMessage *message,
                              struct kw_bytes *ret_bytes, struct kw_error *err);

/* --- resources: whole --- */

/* Fail: CRYPTO, MEMORY. */
struct kw_result kw_view_batch(struct kw_view *view, const struct kw_batch_row *row,
                               Keyward__V1__Batch **ret_batch, struct kw_error *err);
struct kw_result kw_view_device(struct kw_view *view, const struct kw_device_row *row,
                                Keyward__V1__Device **ret_device, struct kw_error *err);

/* With `show_facts`, the facts too. Confirmation has no public fact type; the device shows it.
 * Fails: CRYPTO, MEMORY, IDENTITY_INVALID (an actor). */
struct kw_result kw_view_key(struct kw_view *view, const struct kw_key_row *row,
                             const struct kw_fact_list *facts, bool show_facts,
                             Keyward__V1__Key **ret_key, struct kw_error *err);

/* `sealed` is a KWE1 record. Fails: ENCODING_INVALID, MEMORY. */
struct kw_result kw_view_envelope(struct kw_view *view, struct kw_bytes sealed,
                                  Keyward__V1__KeyEnvelope **ret_envelope, struct kw_error *err);

/* `record` is a KWR1 record, `caller` the resource name stored with it. Fails: ENCODING_INVALID,
 * CRYPTO, MEMORY. */
struct kw_result kw_view_receipt(struct kw_view *view, struct kw_bytes record, const char *caller,
                                 Keyward__V1__Receipt **ret_receipt, struct kw_error *err);

#endif
