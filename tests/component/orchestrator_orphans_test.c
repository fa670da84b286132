/* A fenced cell's late stops of keys: bundled there, brought here, in force here. */
#include "common/feed/feed_orphans.h"
#include "common/feed/intent.h"
#include "common/feed/orphans.h"
#include "common/sync/store_record.h"
#include "common/sync/version_vector.h"
#include "tests/component/orchestrator_cells.h"
#include "tests/support/key_officer.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>

static struct orch_cells cells;
static struct orch_fixture *const a = &cells.a; /* is fenced at b, and goes on */
static struct orch_fixture *const b = &cells.b;

static void init(void)
{
    orch_cells_init(&cells);
}

static void done(void)
{
    orch_cells_done(&cells);
}

TestSuite(orchestrator_orphans, .init = init, .fini = done, .timeout = 120);

/* --- questions --- */

static enum kw_reason use_at_b(char *device)
{
    Keyward__V1__GetDeviceAccessRequest body = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE_ACCESS,
                                  .body = &body.base,
                                  .role = KW_ROLE_PARTNER,
                                  .caller = b->partner};

    body.selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body.device = device;
    body.epoch = 1;
    body.purpose = (char *)(uintptr_t) "care";
    return orch_ask(b, &asking).reason;
}

/* The operator's, at a; such requests begin alike. */
static void stop(enum kw_method_id method, char *key)
{
    Keyward__V1__DestroyKeyRequest body = KEYWARD__V1__DESTROY_KEY_REQUEST__INIT;
    const struct asking asking = {
        .method = method, .body = &body.base, .role = KW_ROLE_OPERATOR, .caller = a->operator_id};

    body.base.descriptor = kw_method_messages(kw_method_by_id((uint32_t)method))->input;
    body.request_id = orch_request_id(a);
    body.name = key;
    body.justification = (char *)(uintptr_t) "lost";
    cr_assert(eq(int, orch_ask(a, &asking).reason, KW_E_NONE));
}

/* --- the fence, and the bundle --- */

static struct kw_result said_so_far(const struct kw_feed_tx *feed_tx, const void *context,
                                    struct kw_error *err)
{
    uint8_t *vector = *(uint8_t *const *)context;
    struct kw_id lane;
    uint64_t seq;

    KW_TRY(kw_feed_said(feed_tx, &lane, &seq, err));
    kw_copy(vector, lane.bytes, KW_ID_LEN);
    kw_be64_store(vector + KW_ID_LEN, seq);
    return KW_OK;
}

static struct kw_result write_fence(const struct kw_feed_tx *feed_tx, const void *context,
                                    struct kw_error *err)
{
    const uint8_t *vector = *(uint8_t *const *)context;
    struct kw_intent row =
        kw_intent(&kw_store_record, kw_id_bytes(&a->orch.feed.options.store), feed_tx->arena);

    kw_intent_u64(&row, KW_STORE_FIELD_STATE, KW_STORE_FENCED);
    kw_intent_bytes(&row, KW_STORE_FIELD_FENCE, KW_BYTES(vector, KW_VECTOR_ENTRY_LEN));
    return kw_intent_say(&row, feed_tx, NULL, err);
}

static void fence_a(void)
{
    static uint8_t vector[KW_VECTOR_ENTRY_LEN];
    uint8_t *const context = vector;

    orch_meet(&cells);
    MUST(orch_try_say(a, said_so_far, &context, err));
    MUST(orch_try_say(b, write_fence, &context, err));
}

static struct kw_result take_out(const struct kw_feed_tx *feed_tx, const void *context,
                                 struct kw_error *err)
{
    struct kw_buf *file = *(struct kw_buf *const *)context;
    struct kw_feed_orphans count;

    return kw_feed_orphans(feed_tx->feed, feed_tx->tx, orch_lane_key(a), feed_tx->wall_ms, file,
                           &count, err);
}

static const Keyward__V1__ReplayOrphansResponse *hand_in(struct kw_bytes file, bool dry)
{
    Keyward__V1__ReplayOrphansRequest body = KEYWARD__V1__REPLAY_ORPHANS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_REPLAY_ORPHANS,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = b->operator_id};
    struct kw_reader r = KW_READER(file);
    struct asked asked;

    body.request_id = orch_request_id(b);
    body.validate_only = dry;
    body.bundle = kw_field_bytes(kw_get_raw(&r, kw_get_u32(&r)));
    body.batch = kw_field_bytes(kw_get_raw(&r, kw_get_u32(&r)));
    asked = orch_ask(b, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    return (const Keyward__V1__ReplayOrphansResponse *)orch_message(
        b, &asked, 0, &keyward__v1__replay_orphans_response__descriptor);
}

static uint32_t replay(bool dry)
{
    KW_SCOPED(kw_buf_done) struct kw_buf file = {0};
    struct kw_buf *const context = &file;
    const Keyward__V1__ReplayOrphansResponse *said;

    MUST(orch_try_say(a, take_out, &context, err));
    said = hand_in(kw_buf_bytes(&file), dry);
    cr_assert(eq(str, said->layer, (char *)(uintptr_t) "orchestrator"));
    return said->said;
}

/* --- said again --- */

Test(orchestrator_orphans, a_key_that_was_stopped_late_is_stopped)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    const Keyward__V1__BatchItem *other = orch_released_device(a);

    fence_a();
    stop(KW_METHOD_SUSPEND_KEY, pen->key);
    stop(KW_METHOD_REPORT_KEY_COMPROMISE, other->key);
    cr_assert(eq(u32, replay(true), 2));
    cr_assert(eq(int, use_at_b(pen->device), KW_E_NONE), "it was only looked at");
    cr_assert(eq(u32, replay(false), 2));
    cr_assert(eq(int, use_at_b(pen->device), KW_E_KEY_STATE));
    cr_assert(eq(int, use_at_b(other->device), KW_E_KEY_STATE));
    cr_assert(eq(u32, replay(false), 0), "twice is once");
}

Test(orchestrator_orphans, a_key_that_an_officer_had_destroyed_late_is_erased)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);

    fence_a();
    stop(KW_METHOD_DEACTIVATE_KEY, pen->key);
    stop(KW_METHOD_DESTROY_KEY, pen->key);
    cr_assert(lt(u32, 2, replay(false)), "two facts, and its wrapped key");
    cr_assert(eq(int, use_at_b(pen->device), KW_E_KEY_STATE));
    cr_assert(
        eq(i64, orch_number(b, "SELECT count(*) FROM wrapped_keys WHERE length(wrapped) > 0"), 0));
}

Test(orchestrator_orphans, a_pen_that_was_made_late_is_left)
{
    const Keyward__V1__BatchItem *pen;

    fence_a();
    pen = orch_released_device(a);
    cr_assert(eq(u32, replay(false), 0));
    cr_assert(eq(int, use_at_b(pen->device), KW_E_NOT_FOUND));
}
