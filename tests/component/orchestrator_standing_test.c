/* The standing call with the core, and receipts that come by it: what is told there is durable, or kept until it is, or
 * it breaks the chain; and no answer goes out before the receipts before its own. */
#include "common/audit/checkpoint.h"
#include "common/base/failpoint.h"
#include "common/rpc/hop_client.h"
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/core_link_internal.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <stdlib.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_standing, .init = init, .fini = done, .timeout = 120);

static struct asking access_ask(Keyward__V1__GetDeviceAccessRequest *body, const char *device)
{
    keyward__v1__get_device_access_request__init(body);
    body->selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body->device = (char *)(uintptr_t)device;
    body->epoch = 1;
    body->purpose = (char *)(uintptr_t) "care";
    return (struct asking){.method = KW_METHOD_GET_DEVICE_ACCESS,
                           .body = &body->base,
                           .role = KW_ROLE_PARTNER,
                           .caller = fx.partner};
}

static enum kw_reason ask_access(const char *device)
{
    Keyward__V1__GetDeviceAccessRequest body;
    const struct asking asking = access_ask(&body, device);

    return orch_ask(&fx, &asking).reason;
}

static struct kw_receipt_window *window(void)
{
    return kw_core_window(fx.orch.link, fx.orch.link->core);
}

/* A use whose answer waits, for the receipt before its own is kept back. */
static void use_that_waits(const char *device, struct asked *asked)
{
    Keyward__V1__GetDeviceAccessRequest body;
    const struct asking asking = access_ask(&body, device);

    fx.core.fault = CORE_LATE_RECEIPT;
    orch_ask_start(&fx, &asking, asked);
    EVENTUALLY(&fx, window()->parked == 1);
    cr_assert(not(asked->over));
}

/* A use that the core has done and whose answer is lost on the way. */
static void use_that_is_lost(const char *device)
{
    char text[96];

    snprintf(text, sizeof(text), "%s=error:1", kw_failpoint_row(KW_FP_ORCH_AFTER_CORE)->name);
    setenv("KEYWARD_FAILPOINTS", text, 1);
    MUST(kw_failpoint_load(err));
    cr_assert(eq(int, ask_access(device), KW_E_SYSTEM));
    cr_assert(eq(u64, window()->at.seq, fx.core.chain.seq - 1));
}

/* --- the streams it goes by --- */

static void replace_stream(struct kw_hop_link *link)
{
    const struct kw_hop_stream *old = link->stream;

    kw_timer_start(&link->timer, 0, 0); /* it is of age */
    EVENTUALLY(&fx, link->stream != NULL && link->stream != old && link->next == NULL);
}

/* The first of them has the standing call, and stays; the second has none, and ends at once. */
Test(orchestrator_standing, a_core_is_there_when_streams_to_it_were_replaced)
{
    struct kw_hop_client *client = fx.orch.link->client;
    size_t alive = client->alive;

    EVENTUALLY(&fx, fx.core.standing != NULL);
    replace_stream(client->links[0]);
    replace_stream(client->links[0]);
    EVENTUALLY(&fx, client->alive == alive + 1);
    cr_assert(kw_core_link_ready(fx.orch.link));
    kw_hop_client_redial(client);
    EVENTUALLY(&fx, !kw_core_link_ready(fx.orch.link));
    EVENTUALLY(&fx, kw_core_link_ready(fx.orch.link));
}

/* --- what is told there --- */

static void check_breaks(void)
{
    EVENTUALLY(&fx, !kw_core_link_ready(fx.orch.link));
}

Test(orchestrator_standing, a_notice_that_is_none_breaks_the_chain)
{
    cr_assert(kw_hop_send(fx.core.standing,
                          (struct kw_hop_item){.data = kw_bytes_str("\xff\xff no notice")}));
    check_breaks();
}

Test(orchestrator_standing, a_checkpoint_that_is_none_breaks_the_chain)
{
    core_send_checkpoint_record(&fx.core, kw_bytes_str("no checkpoint"));
    check_breaks();
}

/* Of the chain that we have with the core but for one byte of its name. */
static void send_foreign_checkpoint(bool other_core)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_checkpoint checkpoint = {.core = fx.core.chain.core,
                                       .stream = fx.core.chain.stream,
                                       .time_ms = kw_clock_wall_ms(),
                                       .signature = kw_bytes_str("signature")};

    (other_core ? &checkpoint.core : &checkpoint.stream)->bytes[0] ^= 1;
    MUST(kw_checkpoint_encode(&checkpoint, &record, err));
    core_send_checkpoint_record(&fx.core, kw_buf_bytes(&record));
}

Test(orchestrator_standing, a_checkpoint_of_another_stream_breaks_the_chain)
{
    send_foreign_checkpoint(false);
    check_breaks();
}

Test(orchestrator_standing, a_checkpoint_of_another_core_breaks_the_chain)
{
    send_foreign_checkpoint(true);
    check_breaks();
}

/* --- receipts and answers --- */

Test(orchestrator_standing, a_receipt_whose_answer_was_lost_comes_again)
{
    const char *device = orch_released_device(&fx)->device;

    faults_off(); /* counts receipts */
    use_that_is_lost(device);
    core_send_receipt(&fx.core, kw_buf_bytes(&fx.core.last));
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
    cr_assert(eq(int, ask_access(device), KW_E_NONE));
}

/* The core says that it is done and not what. */
Test(orchestrator_standing, an_end_without_answer_is_none)
{
    const char *device = orch_released_device(&fx)->device;

    fx.core.fault = CORE_FAILS;
    fx.core.refusal = KW_E_NONE;
    cr_assert(eq(int, ask_access(device), KW_E_INTERNAL));
    cr_assert(eq(int, ask_access(device), KW_E_NONE));
}

static struct kw_buf waiting; /* the record of a receipt that waits for its turn */

static void receipt_that_waits(Keyward__Internal__V1__CoreReply *reply)
{
    reply->receipt = kw_field_bytes(kw_buf_bytes(&waiting));
}

/* A receipt that waits for its turn is one answer's: another one that has it, too, does not go out before. */
Test(orchestrator_standing, an_answer_with_a_receipt_that_waits_is_withheld)
{
    const char *device = orch_released_device(&fx)->device;
    struct asked asked;

    faults_off(); /* the core plays a part twice */
    use_that_waits(device, &asked);
    kw_buf_move(&waiting, &fx.core.last);
    fx.core.spoil = receipt_that_waits;
    cr_assert(eq(int, ask_access(device), KW_E_PEER_UNAVAILABLE));
    cr_assert(not(asked.over));
    core_send_late(&fx.core);
    EVENTUALLY(&fx, asked.over);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    kw_buf_done(&waiting);
}

#ifdef KW_FAULTS_PLANTED

/* --- receipts that are owed --- */

Test(orchestrator_standing, nothing_is_asked_of_the_core_while_a_receipt_is_owed)
{
    const char *device = orch_released_device(&fx)->device;
    struct kw_core_link *link = fx.orch.link;
    unsigned calls;

    faults_off(); /* below */
    use_that_is_lost(device);
    faults_arm_at("services/orchestrator/receipt_log.c");
    core_send_receipt(&fx.core, kw_buf_bytes(&fx.core.last));
    EVENTUALLY(&fx, link->owed != NULL || fx.core.acked == fx.core.chain.seq);
    if (!faults_disarm()) {
        cr_assert_not_null(getenv("KEYWARD_FAULTS")); /* others have been there */
        return;
    }
    kw_timer_stop(&link->owed_timer); /* not tried again before we say so */
    calls = fx.core.calls;
    cr_assert(eq(int, ask_access(device), KW_E_STORE_FULL));
    cr_assert(eq(u32, fx.core.calls, calls));
    cr_assert(eq(u64, fx.core.acked, fx.core.chain.seq - 1));
    kw_core_owed_fire(&link->owed_timer);
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
    cr_assert(eq(int, ask_access(device), KW_E_NONE));
}

/* The store had no room for the receipt of a use. */
static void owe(void)
{
    const struct kw_error full = {.reason = KW_E_STORE_FULL};
    struct kw_receipt_entry entry = {.record = kw_buf_bytes(&fx.core.last)};

    MUST(kw_receipt_decode(entry.record, &entry.receipt, err));
    MUST(kw_receipt_head(entry.record, &entry.head, err));
    kw_core_receipt_unstored(fx.orch.link, &entry, "partners/p", &full);
}

Test(orchestrator_standing, a_receipt_that_can_be_neither_stored_nor_kept_breaks_the_chain)
{
    const char *device = orch_released_device(&fx)->device;
    unsigned places = 0;

    faults_off(); /* below */
    use_that_is_lost(device);
    for (;; places++) {
        faults_arm_at("services/orchestrator/core_owed.c");
        owe();
        if (!faults_disarm()) {
            break;
        }
        cr_assert(not(kw_core_link_ready(fx.orch.link)), "%s", kw_fault_plan()->last);
        cr_assert(eq(int, ask_access(device), KW_E_PEER_UNAVAILABLE));
        window()->broken = false; /* as if it had not been */
    }
    cr_assert_not_null(fx.orch.link->owed);
    cr_assert(places >= 4 || getenv("KEYWARD_FAULTS") != NULL); /* else others have been there */
}

/* --- whatever fails meanwhile --- */

struct count {
    struct kw_store_job job;
    int64_t receipts;
    bool done;
};

static struct kw_result count_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, "SELECT count(*) FROM receipts", &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    ((struct count *)job)->receipts = kw_col_i64(stmt, 0);
    return KW_OK;
}

static void count_done(struct kw_store_job *job)
{
    cr_assert(kw_ok(job->result), "%s", job->error.message);
    ((struct count *)job)->done = true;
}

static uint64_t receipts_stored(void)
{
    struct count count = {.job = {.run = count_run, .done = count_done}};

    MUST(kw_store_read(fx.orch.store, &count.job, err));
    EVENTUALLY(&fx, count.done);
    return (uint64_t)count.receipts;
}

/* After a break nothing mends: another one, with a device of its own. */
static const char *begin_anew(void)
{
    done();
    init();
    return orch_released_device(&fx)->device;
}

/* All that was told is over; what is owed is tried again without waiting. */
static bool is_settled(void)
{
    struct kw_core_link *link = fx.orch.link;

    kw_core_owed_fire(&link->owed_timer);
    return link->notices == 0;
}

/* Either the chain is whole and all of it is stored, or it is broken and nothing more is asked. */
static void check_whole_or_broken(const char *device, const struct asked *asked)
{
    cr_assert(le(u64, fx.core.acked, receipts_stored()));
    if (asked->reason == KW_E_NONE) {
        cr_assert(eq(u64, receipts_stored(), fx.core.chain.seq));
    } else {
        cr_assert(eq(sz, asked->message_count, 0));
    }
    if (kw_core_link_ready(fx.orch.link)) {
        EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
        cr_assert(eq(int, ask_access(device), KW_E_NONE));
    } else {
        cr_assert(eq(int, ask_access(device), KW_E_PEER_UNAVAILABLE));
    }
}

/* A checkpoint and a receipt come, which an answer waits for. The core sends it again until it is acknowledged.
 * Whether something has failed. */
static bool standing_round(const char *scope, const char *device)
{
    struct asked asked;
    bool fired;

    use_that_waits(device, &asked);
    faults_arm_at(scope);
    core_send_checkpoint(&fx.core, true);
    core_send_late(&fx.core);
    EVENTUALLY(&fx, asked.over || !kw_fault_plan()->armed);
    core_send_late(&fx.core);
    EVENTUALLY(&fx, asked.over && is_settled());
    fired = faults_disarm();
    check_whole_or_broken(device, &asked);
    return fired;
}

static void walk_standing(const char *scope, unsigned places)
{
    const char *device = orch_released_device(&fx)->device;
    unsigned fired = 0;

    faults_off(); /* only at the places of `scope` */
    while (standing_round(scope, device)) {
        fired++;
        if (!kw_core_link_ready(fx.orch.link)) {
            device = begin_anew();
        }
    }
    cr_assert(fired >= places || getenv("KEYWARD_FAULTS") != NULL, "%u places", fired);
}

Test(orchestrator_standing, whatever_fails_in_the_link_it_serves_or_refuses)
{
    walk_standing("services/orchestrator/core_", 6);
}

Test(orchestrator_standing, whatever_fails_with_a_checkpoint_it_serves_or_refuses)
{
    walk_standing("services/orchestrator/chain_table.c", 4);
}

Test(orchestrator_standing, whatever_fails_with_a_receipt_it_serves_or_refuses)
{
    walk_standing("services/orchestrator/receipt_", 8);
}

#endif
