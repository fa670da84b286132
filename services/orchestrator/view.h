/* Views: rows and records as the messages of the public API, made in one call's arena.
 *
 * When the arena is exhausted nothing is refused at once: what is made from then on lands in one
 * scratch place and kw_view_pack, which every answer passes, fails. So that a view reads as the
 * list of its fields.
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

/* Packs into the arena. Fails: MEMORY. */
struct kw_result kw_view_pack(struct kw_view *view, const ProtobufCMessage *message,
                              struct kw_bytes *ret_bytes, struct kw_error *err);

/* --- resources --- */

/* Fail: CRYPTO, MEMORY (the etag). */
struct kw_result kw_view_batch(struct kw_view *view, const struct kw_batch_row *row,
                               Keyward__V1__Batch **ret_batch, struct kw_error *err);
struct kw_result kw_view_device(struct kw_view *view, const struct kw_device_row *row,
                                Keyward__V1__Device **ret_device, struct kw_error *err);

/* With `show_facts`, the facts too. Confirmation has no public fact type; the device shows it. */
struct kw_result kw_view_key(struct kw_view *view, const struct kw_key_row *row,
                             const struct kw_fact_list *facts, bool show_facts,
                             Keyward__V1__Key **ret_key, struct kw_error *err);

/* `sealed` is a KWE1 record. Fails: ENCODING_INVALID. */
struct kw_result kw_view_envelope(struct kw_view *view, struct kw_bytes sealed,
                                  Keyward__V1__KeyEnvelope **ret_envelope, struct kw_error *err);

/* `record` is a KWR1 record, `caller` the resource name stored with it. Fails: ENCODING_INVALID,
 * CRYPTO. */
struct kw_result kw_view_receipt(struct kw_view *view, struct kw_bytes record, const char *caller,
                                 Keyward__V1__Receipt **ret_receipt, struct kw_error *err);

#endif
