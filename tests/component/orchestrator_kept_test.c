/* GetVerificationData of another cell: what is kept of its receipts here, with the checkpoints that lanes brought. */
#include "common/audit/segment.h"
#include "services/orchestrator/kept_table.h"
#include "services/orchestrator/receipt_head_feed.h"
#include "tests/component/orchestrator_cells.h"

#include <keyward/v1/receipt_service.pb-c.h>

enum {
    LONG = 600, /* more than a page, and than a segment */
};

#define RECEIPT    KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT
#define CHECKPOINT KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CHECKPOINT
#define HEAD       KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD

static struct orch_fixture fx;

static void setup(void)
{
    orch_fixture_init(&fx);
}

static void teardown(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_kept, .init = setup, .fini = teardown, .timeout = 60);

/* --- what is kept --- */

struct kept {
    struct kw_kept_chain chain;
    size_t count;
};

static struct kw_result add_one(struct kw_segment *segment, struct kw_buf *list,
                                struct kw_chain *chain, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_receipt receipt = {.time_ms = 1000 + chain->seq,
                                 .region = kw_bytes_str("eu"),
                                 .cell = kw_bytes_str("z"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("certificate")};
    bool added;

    KW_TRY(kw_chain_issue(chain, &receipt, &record, err));
    return kw_segment_add(segment, list, kw_buf_bytes(&record), &added, err);
}

static struct kw_result say_segment(const struct kw_feed_tx *feed_tx, const void *context,
                                    struct kw_error *err)
{
    const struct kw_kept_giver giver = {.place = kw_bytes_str("eu/z")};
    struct kept *kept = (struct kept *)(uintptr_t)context;
    struct kw_segment segment = {
        .core = kept->chain.at.core, .stream = kept->chain.at.stream, .after = kept->chain.at.seq};
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    for (size_t i = 0; i < kept->count; i++) {
        KW_TRY(add_one(&segment, &list, &kept->chain.at, err));
    }
    KW_TRY(kw_segment_encode(&segment, &record, err));
    return kw_kept_add(feed_tx->tx, &giver, &kept->chain, kw_buf_bytes(&record), err);
}

struct saying {
    struct kw_chain at;
    bool closed;
};

static struct kw_result say_head(const struct kw_feed_tx *feed_tx, const void *context,
                                 struct kw_error *err)
{
    const struct saying *saying = context;
    const struct kw_checkpoint checkpoint = {.core = saying->at.core,
                                             .stream = saying->at.stream,
                                             .seq = saying->at.seq,
                                             .head = saying->at.head,
                                             .time_ms = 1,
                                             .closed = saying->closed,
                                             .signature = kw_bytes_str("signature")};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(kw_checkpoint_encode(&checkpoint, &record, err));
    return kw_receipt_head_say(feed_tx, &checkpoint, kw_buf_bytes(&record), err);
}

static void keep(struct kept *kept, size_t count)
{
    kept->count = count;
    MUST(orch_try_say(&fx, say_segment, kept, err));
}

static void sign(struct kw_chain at, bool closed)
{
    const struct saying saying = {at, closed};

    MUST(orch_try_say(&fx, say_head, &saying, err));
}

static struct kept chain_of(uint8_t number)
{
    return (struct kept){.chain.at = {.core = {{number}}, .stream = {{9}}}};
}

/* --- what is shown --- */

struct shown {
    enum kw_reason reason;
    char field[32];
    char types[32]; /* "RRC": receipts and checkpoints in their order; of few */
    size_t receipts;
    size_t others;
    struct kw_chain_verifier verifier; /* over the first chain */
};

static void take(struct shown *shown, const Keyward__V1__VerificationRecord *record)
{
    size_t len = strlen(shown->types);
    enum kw_chain_verdict verdict;

    if (record->type != RECEIPT && record->type != CHECKPOINT) {
        shown->others += record->type == HEAD;
        return;
    }
    if (len < sizeof(shown->types) - 1) {
        shown->types[len] = record->type == RECEIPT ? 'R' : 'C';
    }
    if (record->type == RECEIPT) {
        shown->receipts++;
        MUST(kw_chain_verify_receipt(&shown->verifier, kw_bytes_field(record->encoded), &verdict,
                                     err));
    }
}

static struct shown export(Keyward__V1__GetVerificationDataRequest *body)
{
    const struct asking asking = {.method = KW_METHOD_GET_VERIFICATION_DATA,
                                  .body = &body->base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    struct shown shown = {.verifier.at = chain_of(1).chain.at};
    struct asked asked = orch_ask(&fx, &asking);

    shown.reason = asked.reason;
    (void)snprintf(shown.field, sizeof(shown.field), "%s", asked.field);
    for (size_t m = 0; asked.reason == KW_E_NONE && m < asked.message_count; m++) {
        const Keyward__V1__GetVerificationDataResponse *page =
            (const Keyward__V1__GetVerificationDataResponse *)orch_message(
                &fx, &asked, m, &keyward__v1__get_verification_data_response__descriptor);

        for (size_t i = 0; i < page->n_records; i++) {
            take(&shown, page->records[i]);
        }
    }
    return shown;
}

static struct shown export_of(const char *of)
{
    Keyward__V1__GetVerificationDataRequest body = KEYWARD__V1__GET_VERIFICATION_DATA_REQUEST__INIT;

    body.of = (char *)(uintptr_t)of;
    return export(&body);
}

Test(orchestrator_kept, receipts_come_with_the_checkpoints_over_them)
{
    struct kept kept = chain_of(1);
    struct kw_chain third;
    struct shown shown;

    keep(&kept, 3);
    third = kept.chain.at;
    keep(&kept, 2);
    sign(third, false);
    sign(kept.chain.at, true);
    sign(kept.chain.at, false);
    shown = export_of("eu/z");
    cr_assert_eq(shown.reason, KW_E_NONE);
    cr_assert_str_eq(shown.types, "RRRCRRCC");
    cr_assert_eq(shown.verifier.verdict, KW_CHAIN_OK);
    cr_assert_eq(shown.others, 0);
}

Test(orchestrator_kept, what_is_signed_beyond_is_told)
{
    struct kept kept = chain_of(1);
    struct kept other = chain_of(2);
    struct kw_chain beyond;

    keep(&kept, 2);
    keep(&other, 1);
    beyond = kept.chain.at;
    beyond.seq += 4;
    sign(beyond, false);
    beyond.seq += 4;
    sign(beyond, false); /* the first is enough */
    cr_assert_str_eq(export_of("eu/z").types, "RRCR");
}

Test(orchestrator_kept, long_chains_come_page_by_page)
{
    struct kept kept = chain_of(1);
    struct shown shown;

    keep(&kept, LONG / 2);
    sign(kept.chain.at, false);
    keep(&kept, LONG / 2);
    shown = export_of("eu/z");
    cr_assert_eq(shown.receipts, LONG);
    cr_assert_eq(shown.verifier.verdict, KW_CHAIN_OK);
    cr_assert_eq(shown.verifier.at.seq, LONG);
}

Test(orchestrator_kept, what_is_not_kept_is_not_found)
{
    struct kept kept = chain_of(1);

    keep(&kept, 1);
    cr_assert_eq(export_of("eu/y").reason, KW_E_NOT_FOUND);
    cr_assert_eq(export_of("eu").reason, KW_E_NOT_FOUND);
    cr_assert_eq(export_of("").receipts, 0, "of our own there is none");
}

Test(orchestrator_kept, what_is_asked_must_make_sense)
{
    Keyward__V1__GetVerificationDataRequest body = KEYWARD__V1__GET_VERIFICATION_DATA_REQUEST__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct kept kept = chain_of(1);
    char of[] = "eu/z";
    struct shown shown;

    keep(&kept, 1);
    body.of = of;
    time.seconds = 1;
    body.end_time = &time;
    shown = export(&body);
    cr_assert_eq(shown.reason, KW_E_ARGUMENT_INVALID);
    cr_assert_str_eq(shown.field, "of");
    shown = export_of(REGION "/" CELL);
    cr_assert_eq(shown.reason, KW_E_ARGUMENT_INVALID);
    cr_assert_str_eq(shown.field, "of");
}

static struct kw_result say_damage(const struct kw_feed_tx *feed_tx, const void *context,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(feed_tx->tx, context, &stmt, err));
    return kw_exec(stmt, NULL, err);
}

Test(orchestrator_kept, what_is_damaged_is_not_shown)
{
    struct kept kept = chain_of(1);

    keep(&kept, 3);
    MUST(orch_try_say(&fx, say_damage, "DELETE FROM kept_segments", err));
    cr_assert_eq(export_of("eu/z").reason, KW_E_INTERNAL);
}
