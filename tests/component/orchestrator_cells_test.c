/* What one cell's orchestrator has done, the other serves by; and what both have done while they were out
 * of touch is the same in both once they have met. */
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/wrapped_key_feed.h"
#include "tests/component/orchestrator_cells.h"
#include "tests/support/key_officer.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/device_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>

static struct orch_cells cells;
static struct orch_fixture *const a = &cells.a;
static struct orch_fixture *const b = &cells.b;

static void init(void)
{
    orch_cells_init(&cells);
}

static void done(void)
{
    orch_cells_done(&cells);
}

TestSuite(orchestrator_cells, .init = init, .fini = done, .timeout = 120);

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

/* What is done from now on is later than what was done. */
static void later(void)
{
    uint64_t now_ms = kw_clock_wall_ms();

    EVENTUALLY(a, kw_clock_wall_ms() > now_ms);
}

/* --- questions --- */

/* A partner asks for the device's key. */
static enum kw_reason use(struct orch_fixture *fx, const char *device)
{
    Keyward__V1__GetDeviceAccessRequest body = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE_ACCESS,
                                  .body = &body.base,
                                  .role = KW_ROLE_PARTNER,
                                  .caller = fx->partner};

    body.selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body.device = text(device);
    body.epoch = 1;
    body.purpose = text("care");
    return orch_ask(fx, &asking).reason;
}

static void served(struct orch_fixture *fx, const char *device, enum kw_reason reason)
{
    enum kw_reason found = use(fx, device);

    cr_assert(eq(int, found, reason), "%s", kw_reason_row(found)->name);
}

/* One of the operator's mutations of a key; their requests begin alike. */
static struct asking key_ask(struct orch_fixture *fx, enum kw_method_id method,
                             Keyward__V1__SuspendKeyRequest *body, const char *key)
{
    keyward__v1__suspend_key_request__init(body);
    body->base.descriptor = kw_method_messages(kw_method_by_id((uint32_t)method))->input;
    body->request_id = orch_request_id(fx);
    body->name = text(key);
    body->justification = text("lost");
    return (struct asking){
        .method = method, .body = &body->base, .role = KW_ROLE_OPERATOR, .caller = fx->operator_id};
}

static enum kw_reason change(struct orch_fixture *fx, enum kw_method_id method, const char *key)
{
    Keyward__V1__SuspendKeyRequest body;
    const struct asking asking = key_ask(fx, method, &body, key);

    return orch_ask(fx, &asking).reason;
}

static const char *suspension_of(struct orch_fixture *fx, const struct asked *asked)
{
    return ((const Keyward__V1__SuspendKeyResponse *)orch_message(
                fx, asked, 0, &keyward__v1__suspend_key_response__descriptor))
        ->suspension;
}

static const char *suspend(struct orch_fixture *fx, const char *key)
{
    Keyward__V1__SuspendKeyRequest body;
    const struct asking asking = key_ask(fx, KW_METHOD_SUSPEND_KEY, &body, key);
    const struct asked asked = orch_ask(fx, &asking);

    return suspension_of(fx, &asked);
}

static enum kw_reason lift(struct orch_fixture *fx, const char *key, const char *suspension)
{
    Keyward__V1__LiftKeySuspensionsRequest body = KEYWARD__V1__LIFT_KEY_SUSPENSIONS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_LIFT_KEY_SUSPENSIONS,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx->operator_id};
    char *one = text(suspension);

    body.request_id = orch_request_id(fx);
    body.name = text(key);
    body.justification = text("found");
    body.suspensions = &one;
    body.n_suspensions = 1;
    return orch_ask(fx, &asking).reason;
}

static const Keyward__V1__Device *device(struct orch_fixture *fx, const char *name)
{
    Keyward__V1__GetDeviceRequest body = KEYWARD__V1__GET_DEVICE_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx->operator_id};
    struct asked asked;

    body.selector_case = KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_NAME;
    body.name = text(name);
    asked = orch_ask(fx, &asking);
    return ((const Keyward__V1__GetDeviceResponse *)orch_message(
                fx, &asked, 0, &keyward__v1__get_device_response__descriptor))
        ->device;
}

/* --- pens --- */

Test(orchestrator_cells, a_pen_made_here_is_served_there)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);

    served(b, pen->device, KW_E_NOT_FOUND);
    orch_meet(&cells);
    served(b, pen->device, KW_E_NONE);
    cr_assert(eq(str, device(b, pen->device)->serial_number, text("SN 1")));
    cr_assert(eq(str, device(b, pen->device)->etag, device(a, pen->device)->etag));
}

Test(orchestrator_cells, each_cell_takes_a_pen_one_step_further)
{
    const char *batch;
    const Keyward__V1__BatchChunk *chunk = orch_make_batch(a, 1, &batch);

    orch_meet(&cells);
    orch_confirm(b, chunk->items[0]->device, "SN 7");
    orch_meet(&cells);
    orch_release(a, batch);
    served(a, chunk->items[0]->device, KW_E_NONE);
    orch_meet(&cells);
    served(b, chunk->items[0]->device, KW_E_NONE);
}

Test(orchestrator_cells, a_released_key_is_delivered_in_no_cell)
{
    Keyward__V1__CreateBatchRequest body;
    const struct asking asking = orch_batch_ask(a, &body, 1);
    const struct asked asked = orch_ask(a, &asking);
    const char *pen = orch_chunk(a, &asked)->items[0]->device;
    Keyward__V1__SuspendKeyRequest activation;
    const struct asking activate =
        key_ask(b, KW_METHOD_ACTIVATE_KEY, &activation, orch_chunk(a, &asked)->items[0]->key);

    orch_meet(&cells);
    cr_assert(eq(int, orch_ask(b, &asking).reason, KW_E_NONE)); /* the same again, from there */
    orch_confirm(b, pen, "SN 1");
    cr_assert(eq(int, orch_ask(b, &activate).reason, KW_E_NONE));
    orch_meet(&cells);
    cr_assert(eq(int, orch_ask(a, &asking).reason, KW_E_STATE_CONFLICT));
    cr_assert(
        eq(i64, orch_number(a, "SELECT count(*) FROM key_versions WHERE delivery IS NOT NULL"), 0));
}

/* --- stops --- */

Test(orchestrator_cells, suspended_there_refused_here_before_its_lane_is_here)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);

    orch_meet(&cells);
    (void)suspend(b, pen->key);
    served(b, pen->device, KW_E_KEY_STATE);
    served(a, pen->device, KW_E_NONE);
    cr_assert(eq(sz, orch_tell_urgent(b, a), 1)); /* the fact, and not the request */
    served(a, pen->device, KW_E_KEY_STATE);
    orch_meet(&cells);
    served(a, pen->device, KW_E_KEY_STATE);
}

Test(orchestrator_cells, what_is_enabled_waits_for_its_lane)
{
    const char *batch;
    const Keyward__V1__BatchChunk *chunk = orch_make_batch(a, 1, &batch);

    orch_confirm(a, chunk->items[0]->device, "SN 1");
    orch_release(a, batch);
    cr_assert(eq(sz, orch_tell_urgent(a, b), 0));
}

Test(orchestrator_cells, suspended_here_while_another_is_lifted_there_is_suspended)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    const char *old = suspend(a, pen->key);
    const char *new;

    orch_meet(&cells);
    cr_assert(eq(int, lift(a, pen->key, old), KW_E_NONE));
    new = suspend(b, pen->key);
    served(a, pen->device, KW_E_NONE);
    orch_meet(&cells);
    served(a, pen->device, KW_E_KEY_STATE);
    served(b, pen->device, KW_E_KEY_STATE);
    cr_assert(eq(int, lift(a, pen->key, new), KW_E_NONE));
    orch_meet(&cells);
    served(b, pen->device, KW_E_NONE);
}

Test(orchestrator_cells, destroyed_here_its_key_is_erased_there_and_does_not_come_back)
{
    static const char left[] = "SELECT count(*) FROM wrapped_keys WHERE length(wrapped) > 0";
    const char *batch;
    const Keyward__V1__BatchItem *pen = orch_make_batch(a, 1, &batch)->items[0];

    orch_meet(&cells);
    cr_assert(eq(i64, orch_number(b, left), 1));
    cr_assert(eq(int, change(a, KW_METHOD_DEACTIVATE_KEY, pen->key), KW_E_NONE));
    cr_assert(eq(int, change(a, KW_METHOD_DESTROY_KEY, pen->key), KW_E_NONE));
    cr_assert(eq(sz, orch_tell_urgent(a, b), 3)); /* two facts, and what was wrapped */
    cr_assert(eq(i64, orch_number(b, left), 0));
    orch_meet(&cells);
    cr_assert(eq(i64, orch_number(a, left), 0));
    cr_assert(eq(i64, orch_number(b, left), 0));
    cr_assert(
        eq(i64, orch_number(b, "SELECT count(*) FROM key_versions WHERE delivery IS NOT NULL"), 0));
    cr_assert(eq(int, change(b, KW_METHOD_ACTIVATE_KEY, pen->key), KW_E_KEY_STATE));
}

/* --- an orchestrator that lies --- */

static struct kw_id key_id(const char *name)
{
    struct kw_resource_ids ids;

    MUST(kw_resource_parse(KW_RESOURCE_KEY, name, &ids, err));
    return ids.id[1];
}

struct erasure {
    struct kw_id key;
    struct kw_buf order;
};

static struct kw_result say_erased(const struct kw_feed_tx *feed_tx, const void *context,
                                   struct kw_error *err)
{
    const struct erasure *erasure = context;

    return kw_wrapped_key_erase(feed_tx, erasure->key, kw_buf_bytes(&erasure->order), err);
}

/* It takes its own officer for one of ours. */
static void becomes_a_liar(struct orch_fixture *fx)
{
    kw_officers_trust_done(&fx->orch.officers);
    key_officer_forget();
    key_officer_trust(&fx->orch.officers);
}

Test(orchestrator_cells, who_erases_without_an_officer_erases_nothing_elsewhere)
{
    static const char waits[] = "SELECT count(*) FROM feed_quarantine";
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    struct erasure lie = {.key = key_id(pen->key)};
    struct erasure real = lie;

    key_officer_destroys(real.key, real.key, &real.order);
    orch_meet(&cells);
    becomes_a_liar(b);
    key_officer_destroys(lie.key, lie.key, &lie.order);
    MUST(orch_try_say(b, say_erased, &lie, err));
    cr_assert(eq(sz, orch_tell_urgent(b, a), 1));
    served(a, pen->device, KW_E_NONE);
    orch_tell(b, a);
    served(a, pen->device, KW_E_NONE);
    cr_assert(ge(i64, orch_number(a, waits), 1));
    MUST(orch_try_say(a, say_erased, &real, err));
    cr_assert(
        eq(i64, orch_number(a, "SELECT count(*) FROM wrapped_keys WHERE length(wrapped) > 0"), 0));
    kw_buf_done(&real.order);
    kw_buf_done(&lie.order);
}

/* That it is destroyed is disabling, so no officer has to say it; only the bytes stay. */
static struct kw_result say_destroyed(const struct kw_feed_tx *feed_tx, const void *context,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact_row row = {.fact = {.key = *(const struct kw_id *)context,
                                       .kind = KW_FACT_DESTROYED,
                                       .time_ms = feed_tx->wall_ms,
                                       .actor = kw_bytes_str("spiffe://test/operator/"
                                                             "opr_aaaaaaaaaaaaaaaaaaaaaaaaaa")},
                              .justification = "none"};

    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    row.record = kw_buf_bytes(&record);
    return kw_fact_state(feed_tx, &row, err);
}

Test(orchestrator_cells, what_was_only_said_to_be_destroyed_is_erased_by_an_officer)
{
    static const char left[] = "SELECT count(*) FROM wrapped_keys WHERE length(wrapped) > 0";
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    const struct kw_id id = key_id(pen->key);

    orch_meet(&cells);
    MUST(orch_try_say(b, say_destroyed, &id, err));
    orch_meet(&cells);
    served(a, pen->device, KW_E_KEY_STATE);
    cr_assert(eq(i64, orch_number(a, left), 1));
    cr_assert(eq(int, change(a, KW_METHOD_DESTROY_KEY, pen->key), KW_E_NONE));
    cr_assert(eq(i64, orch_number(a, left), 0));
}

/* By whom the gateway, or authz, likes. */
Test(orchestrator_cells, a_key_is_not_destroyed_by_what_nobody_signed)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking;

    (void)suspend(a, pen->key);
    asking = key_ask(a, KW_METHOD_DESTROY_KEY, &body, pen->key);
    asking.is_unsigned = true;
    cr_assert(eq(int, orch_ask(a, &asking).reason, KW_E_SIGNATURE_INVALID));
    cr_assert(eq(i64, orch_number(a, "SELECT count(*) FROM facts WHERE kind = 8"), 0));
    cr_assert(eq(int, change(a, KW_METHOD_DESTROY_KEY, pen->key), KW_E_NONE));
    cr_assert(eq(i64, orch_number(a, "SELECT count(*) FROM facts WHERE kind = 8"), 1));
}

/* No key that the core made: the tests' core tells it by its length. */
static const uint8_t made_up[41] = {1};

/* Under the newest KEK there may be. */
static struct kw_result say_made_up(const struct kw_feed_tx *feed_tx, const void *context,
                                    struct kw_error *err)
{
    const struct kw_key_row row = {.id = *(const struct kw_id *)context,
                                   .kek_version = KW_HSM_KEK_VERSIONS_MAX,
                                   .wrapped = KW_BYTES_OF(made_up),
                                   .check_value = KW_BYTES(made_up, 3),
                                   .mac = KW_BYTES(made_up, 16),
                                   .created_ms = 1};

    return kw_wrapped_key_add(feed_tx, &row, err);
}

/* Confirmed before any other was. */
static struct kw_result say_made_up_transport(const struct kw_feed_tx *feed_tx, const void *context,
                                              struct kw_error *err)
{
    const struct kw_transport_key_row row = {.owner = *(const struct kw_id *)context,
                                             .version = 1,
                                             .kek_version = 1,
                                             .wrapped = KW_BYTES_OF(made_up),
                                             .check_value = KW_BYTES(made_up, 3),
                                             .mac = KW_BYTES(made_up, 16),
                                             .nonce = KW_BYTES(made_up, 16),
                                             .created_ms = 1};
    const struct kw_feed_tx early = {feed_tx->feed, feed_tx->tx, feed_tx->arena, 1};

    KW_TRY(kw_transport_key_add(feed_tx, &row, err));
    return kw_transport_key_confirm(&early, &row, err);
}

Test(orchestrator_cells, a_key_that_is_none_hides_the_right_one_once)
{
    const char *batch;
    const Keyward__V1__BatchItem *pen = orch_make_batch(a, 1, &batch)->items[0];
    const struct kw_id id = key_id(pen->key);

    orch_confirm(a, pen->device, "SN 1");
    orch_meet(&cells);
    MUST(orch_try_say(b, say_made_up, &id, err));
    orch_meet(&cells);
    cr_assert(eq(int, change(a, KW_METHOD_ACTIVATE_KEY, pen->key), KW_E_BINDING_INVALID));
    cr_assert(eq(int, change(a, KW_METHOD_ACTIVATE_KEY, pen->key), KW_E_NONE));
    served(a, pen->device, KW_E_NONE);
    orch_meet(&cells);
    served(b, pen->device, KW_E_BINDING_INVALID);
    served(b, pen->device, KW_E_NONE);
}

Test(orchestrator_cells, of_keys_and_transport_keys_that_are_none_the_right_two_are_found)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    const struct kw_id id = key_id(pen->key);
    unsigned refused = 0;

    orch_meet(&cells);
    MUST(orch_try_say(b, say_made_up_transport, &a->partner, err));
    orch_meet(&cells);
    served(a, pen->device, KW_E_BINDING_INVALID);
    served(a, pen->device, KW_E_NONE);
    MUST(orch_try_say(b, say_made_up, &id, err));
    orch_meet(&cells);
    while (use(a, pen->device) == KW_E_BINDING_INVALID) {
        refused++;
        cr_assert(lt(u32, refused, 8));
    }
    cr_assert(lt(u32, 0, refused));
    served(a, pen->device, KW_E_NONE);
}

/* --- done twice --- */

Test(orchestrator_cells, a_request_run_in_two_cells_has_one_answer_the_earlier)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    Keyward__V1__SuspendKeyRequest body;
    const struct asking asking = key_ask(a, KW_METHOD_SUSPEND_KEY, &body, pen->key);
    struct asked first;
    struct asked second;
    struct asked again;

    orch_meet(&cells);
    first = orch_ask(a, &asking);
    later();
    second = orch_ask(b, &asking);
    cr_assert(ne(str, text(suspension_of(a, &first)), text(suspension_of(b, &second))));
    orch_meet(&cells);
    again = orch_ask(b, &asking);
    cr_assert(again.outcome->replayed);
    cr_assert(eq(str, text(suspension_of(b, &again)), text(suspension_of(a, &first))));
    cr_assert(eq(i64, orch_number(a, "SELECT count(*) FROM facts WHERE kind = 4"), 2));
}

Test(orchestrator_cells, a_request_id_run_for_two_things_stands_for_the_earlier)
{
    const Keyward__V1__BatchItem *pen = orch_released_device(a);
    Keyward__V1__SuspendKeyRequest body;
    const struct asking asking = key_ask(a, KW_METHOD_SUSPEND_KEY, &body, pen->key);

    orch_meet(&cells);
    cr_assert(eq(int, orch_ask(a, &asking).reason, KW_E_NONE));
    later();
    body.justification = text("stolen");
    cr_assert(eq(int, orch_ask(b, &asking).reason, KW_E_NONE));
    orch_meet(&cells);
    cr_assert(eq(int, orch_ask(b, &asking).reason, KW_E_REQUEST_ID_REUSED));
    body.justification = text("lost");
    cr_assert(eq(int, orch_ask(b, &asking).reason, KW_E_NONE));
}

Test(orchestrator_cells, pens_of_both_batches_of_one_request_are_kept_and_one_is_what_it_stands_for)
{
    Keyward__V1__CreateBatchRequest body;
    const struct asking asking = orch_batch_ask(a, &body, 2);
    struct asked again = orch_ask(a, &asking);
    const char *earlier = orch_chunk(a, &again)->items[0]->device;
    const char *other;

    later();
    again = orch_ask(b, &asking);
    other = orch_chunk(b, &again)->items[0]->device;
    cr_assert(ne(str, text(earlier), text(other)));
    orch_meet(&cells);
    again = orch_ask(a, &asking);
    cr_assert(eq(str, orch_chunk(a, &again)->items[0]->device, text(earlier)));
    again = orch_ask(b, &asking);
    cr_assert(eq(str, orch_chunk(b, &again)->items[0]->device, text(earlier)));
    cr_assert(eq(i64, orch_number(b, "SELECT count(*) FROM devices"), 4));
    orch_confirm(a, other, "SN 2"); /* a pen that took its key is as good as any */
}

/* Asks for positions 2 and 3 of four. */
static const Keyward__V1__BatchChunk *second_half(struct orch_fixture *fx, struct asking asking)
{
    struct asked asked;

    asking.first = 2;
    asking.count = 2;
    asked = orch_ask(fx, &asking);
    return orch_chunk(fx, &asked);
}

static struct asked ask_release(struct orch_fixture *fx, const char *batch)
{
    Keyward__V1__ReleaseBatchRequest body = KEYWARD__V1__RELEASE_BATCH_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_RELEASE_BATCH,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = fx->station,
                                  .count = KW_CHUNK_ITEMS_MAX};

    body.request_id = orch_request_id(fx);
    body.name = text(batch);
    return orch_ask(fx, &asking);
}

static Keyward__V1__ReleaseBatchResponse release(struct orch_fixture *fx, const char *batch)
{
    const struct asked asked = ask_release(fx, batch);

    return *(const Keyward__V1__ReleaseBatchResponse *)orch_message(
        fx, &asked, 0, &keyward__v1__release_batch_response__descriptor);
}

Test(orchestrator_cells, pens_that_two_cells_made_for_one_position_are_all_released)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(a, &body, 4);
    const Keyward__V1__BatchChunk *here;
    const Keyward__V1__BatchChunk *there;
    const char *batch;

    asking.count = 2;
    (void)orch_ask(a, &asking);
    orch_meet(&cells);
    here = second_half(a, asking);
    later();
    there = second_half(b, asking);
    orch_meet(&cells);
    cr_assert(eq(str, second_half(b, asking)->items[0]->device, here->items[0]->device));
    orch_confirm(a, here->items[0]->device, "SN 1");
    orch_confirm(a, there->items[0]->device, "SN 2");
    batch = device(a, here->items[0]->device)->batch;
    cr_assert(eq(u32, release(a, batch).activated_count, 2));
    served(a, there->items[0]->device, KW_E_NONE);
}

#define CROWD (KW_CHUNK_ITEMS_MAX + 1)

/* The kinds of facts that a pen has which may be released. */
static struct kw_result say_facts(const struct kw_feed_tx *feed_tx, struct kw_id key,
                                  struct kw_error *err)
{
    static const enum kw_fact_kind kinds[] = {KW_FACT_CONFIRMED, KW_FACT_PROTECTED};

    for (size_t i = 0; i < 2; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_fact_row row = {.fact = {.key = key,
                                           .kind = kinds[i],
                                           .time_ms = 1,
                                           .capsule = {{1}},
                                           .actor = kw_bytes_str("spiffe://t/station/s")},
                                  .justification = ""};

        KW_TRY(kw_fact_encode(&row.fact, &record, err));
        row.record = kw_buf_bytes(&record);
        KW_TRY(kw_fact_state(feed_tx, &row, err));
    }
    return KW_OK;
}

static struct kw_result say_confirmed_pen(const struct kw_feed_tx *feed_tx, struct kw_id batch,
                                          uint32_t number, struct kw_error *err)
{
    const uint8_t high = (uint8_t)(number >> 8);
    const uint8_t low = (uint8_t)number;
    const uint8_t blob[40] = {high, low};
    const struct kw_device_row pen = {
        .id = {{1, high, low}}, .batch = batch, .key = {{2, high, low}}, .created_ms = 1};
    const struct kw_key_row key = {.id = pen.key,
                                   .device = pen.id,
                                   .version = 1,
                                   .kek_version = 1,
                                   .wrapped = KW_BYTES_OF(blob),
                                   .check_value = KW_BYTES(blob, 3),
                                   .mac = KW_BYTES(blob, 16),
                                   .created_ms = 1,
                                   .delivery = KW_BYTES_OF(blob)};

    KW_TRY(say_facts(feed_tx, key.id, err));
    KW_TRY(kw_key_add(feed_tx, &key, err));
    KW_TRY(kw_device_add(feed_tx, &pen, err));
    return kw_device_confirm(feed_tx, &pen, "SN", err);
}

/* At the place of the only pen of its batch. */
static struct kw_result say_crowd(const struct kw_feed_tx *feed_tx, const void *context,
                                  struct kw_error *err)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        KW_TRY(say_confirmed_pen(feed_tx, *(const struct kw_id *)context, i, err));
    }
    return KW_OK;
}

Test(orchestrator_cells, more_pens_than_the_core_takes_at_once_are_not_released_in_part)
{
    const char *batch;
    struct kw_resource_ids ids;

    (void)orch_make_batch(a, 1, &batch);
    MUST(kw_resource_parse(KW_RESOURCE_BATCH, batch, &ids, err));
    MUST(orch_try_say(a, say_crowd, &ids.id[0], err));
    cr_assert(eq(int, ask_release(a, batch).reason, KW_E_LIMIT_REACHED));
}

static struct kw_result lose_the_first(const struct kw_feed_tx *feed_tx, const void *context,
                                       struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)context;
    KW_TRY(kw_sql(feed_tx->tx, "DELETE FROM devices WHERE position < 2", &stmt, err));
    return kw_exec(stmt, NULL, err);
}

/* As a cell is that has heard of the second half from one cell, and not yet of the first from
 * another. */
Test(orchestrator_cells, pens_that_are_on_their_way_are_not_made_again)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(a, &body, 4);

    (void)orch_ask(a, &asking);
    MUST(orch_try_say(a, lose_the_first, NULL, err));
    cr_assert(eq(int, orch_ask(a, &asking).reason, KW_E_STORE_CONFLICT));
    cr_assert(eq(sz, second_half(a, asking)->n_items, 2));
}

/* --- two pens that claim to be one --- */

static enum kw_reason confirm(struct orch_fixture *fx, const char *name, const char *serial)
{
    static uint8_t sixteen[16] = {3};
    Keyward__V1__ConfirmDeviceRequest body = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_CONFIRM_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = fx->station};

    body.request_id = orch_request_id(fx);
    body.device = text(name);
    body.challenge = (ProtobufCBinaryData){.data = sixteen, .len = sizeof(sixteen)};
    body.tag = body.challenge;
    body.serial_number = text(serial);
    return orch_ask(fx, &asking).reason;
}

Test(orchestrator_cells, confirmed_as_two_pens_it_is_disputed_and_not_released)
{
    const char *batch;
    const Keyward__V1__BatchItem *pen = orch_make_batch(a, 1, &batch)->items[0];
    Keyward__V1__ReleaseBatchResponse released;

    orch_meet(&cells);
    orch_confirm(a, pen->device, "SN 2");
    orch_confirm(b, pen->device, "SN 1");
    orch_meet(&cells);
    cr_assert(eq(str, device(a, pen->device)->serial_number, text("SN 1")));
    cr_assert(eq(str, device(b, pen->device)->serial_number, text("SN 1")));
    cr_assert(eq(int, confirm(a, pen->device, "SN 1"), KW_E_STATE_CONFLICT));
    released = release(a, batch);
    cr_assert(eq(u32, released.activated_count, 0));
    cr_assert(eq(u32, released.unconfirmed_count, 1));
    cr_assert(eq(int, change(b, KW_METHOD_ACTIVATE_KEY, pen->key), KW_E_STATE_CONFLICT));
    cr_assert(eq(int, change(b, KW_METHOD_DEACTIVATE_KEY, pen->key), KW_E_NONE));
}

Test(orchestrator_cells, one_pen_confirmed_in_two_cells_is_no_dispute)
{
    const char *batch;
    const Keyward__V1__BatchItem *pen = orch_make_batch(a, 1, &batch)->items[0];

    orch_meet(&cells);
    orch_confirm(a, pen->device, "SN 1");
    orch_confirm(b, pen->device, "SN 1");
    orch_meet(&cells);
    cr_assert(eq(u32, release(b, batch).activated_count, 1));
}

/* --- transport keys --- */

static struct kw_transport_key_row transport_row(const struct kw_id *owner, const uint8_t *blob,
                                                 uint64_t created_ms)
{
    return (struct kw_transport_key_row){.owner = *owner,
                                         .version = 7,
                                         .kek_version = 1,
                                         .wrapped = KW_BYTES(blob, 40),
                                         .check_value = KW_BYTES(blob, 3),
                                         .mac = KW_BYTES(blob, 16),
                                         .nonce = KW_BYTES(blob, 16),
                                         .created_ms = created_ms};
}

static struct kw_result say_key(const struct kw_feed_tx *feed_tx, const void *context,
                                struct kw_error *err)
{
    return kw_transport_key_add(feed_tx, context, err);
}

static struct kw_result say_confirmed(const struct kw_feed_tx *feed_tx, const void *context,
                                      struct kw_error *err)
{
    return kw_transport_key_confirm(feed_tx, context, err);
}

struct expected {
    struct kw_id owner;
    uint8_t first;
};

static struct kw_result expect_key(const struct kw_feed_tx *feed_tx, const void *context,
                                   struct kw_error *err)
{
    const struct expected *expected = context;
    struct kw_transport_key_row row;
    bool found;

    KW_TRY(
        kw_transport_key_find(feed_tx->tx, expected->owner, 7, feed_tx->arena, &row, &found, err));
    KW_ENSURE(found && row.wrapped.data[0] == expected->first, err, INTERNAL, "another key");
    return KW_OK;
}

Test(orchestrator_cells, of_two_transport_keys_the_confirmed_one_counts_and_before_that_the_earlier)
{
    static const uint8_t blobs[2][40] = {{1}, {2}};
    const struct kw_transport_key_row earlier = transport_row(&a->partner, blobs[0], 10);
    const struct kw_transport_key_row other = transport_row(&a->partner, blobs[1], 20);
    struct expected expected = {a->partner, 1};

    MUST(orch_try_say(a, say_key, &earlier, err));
    MUST(orch_try_say(b, say_key, &other, err));
    orch_meet(&cells);
    MUST(orch_try_say(a, expect_key, &expected, err));
    MUST(orch_try_say(b, expect_key, &expected, err));
    MUST(orch_try_say(b, say_confirmed, &other, err));
    orch_meet(&cells);
    expected.first = 2;
    MUST(orch_try_say(a, expect_key, &expected, err));
    MUST(orch_try_say(b, expect_key, &expected, err));
}

/* --- rows that come in pieces --- */

static struct kw_result say_released(const struct kw_feed_tx *feed_tx, const void *context,
                                     struct kw_error *err)
{
    return kw_device_release(feed_tx, *(const struct kw_id *)context, err);
}

/* A third cell's word of a pen may be here before the pen. */
Test(orchestrator_cells, a_row_is_there_once_it_is_whole)
{
    const struct kw_id unknown = {{9, 9, 9}};

    MUST(orch_try_say(b, say_released, &unknown, err));
    orch_meet(&cells);
    cr_assert(eq(i64, orch_number(a, "SELECT count(*) FROM devices"), 0));
    cr_assert(eq(i64, orch_number(a, "SELECT count(*) FROM feed_records WHERE kind = 32"), 1));
}

Test(orchestrator_cells, the_head_of_a_chain_is_known_in_every_cell)
{
    static const char heads[] = "SELECT count(*) FROM feed_records WHERE kind = 37";

    (void)orch_released_device(a);
    core_send_checkpoint(&a->core, true);
    EVENTUALLY(a, orch_number(a, heads) == 1);
    core_send_checkpoint(&a->core, true); /* the same place again says nothing new */
    (void)orch_released_device(a);
    orch_meet(&cells);
    cr_assert(eq(i64, orch_number(b, heads), 1));
}
