/* What the orchestrator's tables can't take of what another cell says: it is not said here, and goes into
 * quarantine where it is heard. */
#include "common/audit/checkpoint.h"
#include "common/base/limits.h"
#include "common/feed/intent.h"
#include "common/lifecycle/fact.h"
#include "services/orchestrator/batch_merge.h"
#include "services/orchestrator/device_merge.h"
#include "services/orchestrator/fact_merge.h"
#include "services/orchestrator/key_merge.h"
#include "services/orchestrator/receipt_head_merge.h"
#include "services/orchestrator/request_merge.h"
#include "services/orchestrator/schema.h"
#include "services/orchestrator/wrapped_key_digest.h"
#include "services/orchestrator/wrapped_key_merge.h"
#include "tests/support/key_officer.h"
#include "tests/support/must.h"
#include "tests/support/orchestrator_feed.h"
#include "tests/support/store_fixture.h"

#define TIME 1000U

static struct store_fixture store;
static struct kw_arena *arena;

static void init(void)
{
    store_fixture_init(&store);
    arena = kw_arena_new(1U << 20);
}

static void done(void)
{
    store_fixture_close(&store);
    store_fixture_done(&store);
    kw_arena_free(arena);
}

TestSuite(orchestrator_feed, .init = init, .fini = done);

/* --- bytes --- */

static struct kw_bytes kept(struct kw_buf *buf)
{
    struct kw_bytes copy;

    MUST(kw_arena_copy(arena, kw_buf_bytes(buf), &copy, err));
    kw_buf_done(buf);
    return copy;
}

/* `len` bytes, each `fill`. */
static struct kw_bytes bytes(uint8_t fill, size_t len)
{
    uint8_t *made = kw_arena_alloc(arena, len);

    for (size_t i = 0; i < len; i++) {
        made[i] = fill;
    }
    return KW_BYTES(made, len);
}

static struct kw_bytes u32(uint32_t value)
{
    uint8_t made[4];
    struct kw_bytes copy;

    kw_be32_store(made, value);
    MUST(kw_arena_copy(arena, KW_BYTES_OF(made), &copy, err));
    return copy;
}

static struct kw_bytes u64(uint64_t value)
{
    uint8_t made[8];
    struct kw_bytes copy;

    kw_be64_store(made, value);
    MUST(kw_arena_copy(arena, KW_BYTES_OF(made), &copy, err));
    return copy;
}

static struct kw_bytes first(uint64_t time_ms, struct kw_bytes detail)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_u64(&w, time_ms);
    kw_put_raw(&w, bytes(1, KW_ID_LEN));
    kw_put_raw(&w, detail);
    return kept(&buf);
}

static struct kw_bytes set_of(struct kw_bytes element)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_u8(&w, (uint8_t)element.len);
    kw_put_raw(&w, element);
    return kept(&buf);
}

static struct kw_bytes joined(struct kw_bytes one, struct kw_bytes two)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_raw(&w, one);
    kw_put_raw(&w, two);
    return kept(&buf);
}

/* --- saying it --- */

struct said {
    const char *what;
    const struct kw_record_kind *kind;
    struct kw_bytes key;
    uint8_t field;
    struct kw_bytes value;
};

static const struct said *saying;

static STORE_TEST_RUN(say_run)
{
    struct kw_intent intent = kw_intent(saying->kind, saying->key, arena);
    struct kw_feed_tx feed_tx;
    static struct kw_feed feed; /* outlives the job, which writes the lane at its end */

    (void)job;
    KW_TRY(orchestrator_feed_tx(&feed, tx, arena, TIME, &feed_tx, err));
    kw_intent_bytes(&intent, saying->field, saying->value);
    return kw_intent_say(&intent, &feed_tx, NULL, err);
}

static void all_are(const struct said *list, size_t count, enum kw_reason reason)
{
    MUST(store_fixture_open(&store, kw_orch_migrations, kw_orch_migration_count, err));
    for (size_t i = 0; i < count; i++) {
        struct store_test_job job = store_test_job(&store, say_run, 0, NULL);
        enum kw_reason found;

        saying = &list[i];
        found = store_test_write(&job).reason;
        cr_expect(eq(int, found, reason), "%s: %s", list[i].what, job.job.error.message);
    }
}

#define ALL_ARE(list, reason) all_are((list), sizeof(list) / sizeof((list)[0]), (reason))

/* --- pens --- */

Test(orchestrator_feed, batches_and_devices_that_are_none_are_not_said)
{
    const struct kw_bytes id = bytes(7, KW_ID_LEN);
    const struct kw_record_kind *const batch = &kw_batch_record;
    const struct kw_record_kind *const device = &kw_device_record;
    const struct said wrong[] = {
        {"a batch's id", batch, bytes(7, 15), KW_BATCH_FIELD_COUNT, u32(1)},
        {"a station", batch, id, KW_BATCH_FIELD_STATION, bytes(7, 15)},
        {"no device", batch, id, KW_BATCH_FIELD_COUNT, u32(0)},
        {"too many devices", batch, id, KW_BATCH_FIELD_COUNT, u32(KW_BATCH_DEVICES_MAX + 1)},
        {"a count of 64 bits", batch, id, KW_BATCH_FIELD_COUNT, u64(1)},
        {"a NUL in a lot", batch, id, KW_BATCH_FIELD_LOT, bytes(0, 3)},
        {"a lot that is no text", batch, id, KW_BATCH_FIELD_LOT, bytes(0xff, 3)},
        {"made never", batch, id, KW_BATCH_FIELD_CREATED, u64(0)},
        {"made after the end", batch, id, KW_BATCH_FIELD_CREATED, u64(1ULL << 63)},
        {"released never", batch, id, KW_BATCH_FIELD_RELEASED, first(0, KW_BYTES_NONE)},
        {"released with a word", batch, id, KW_BATCH_FIELD_RELEASED, first(1, bytes(7, 1))},
        {"a device's id", device, bytes(7, 17), KW_DEVICE_FIELD_POSITION, u32(1)},
        {"no serial", device, id, KW_DEVICE_FIELD_BINDINGS, set_of(bytes(7, KW_ID_LEN))},
        {"a long serial", device, id, KW_DEVICE_FIELD_BINDINGS,
         set_of(bytes('7', KW_ID_LEN + KW_DEVICE_SERIAL_LEN_MAX + 1))},
        {"a serial that is no text", device, id, KW_DEVICE_FIELD_BINDINGS,
         set_of(bytes(0xff, KW_ID_LEN + 1))},
    };

    ALL_ARE(wrong, KW_E_ENCODING_INVALID);
}

Test(orchestrator_feed, batches_and_devices_may_be_said_in_pieces)
{
    const struct kw_bytes id = bytes(7, KW_ID_LEN);
    const struct said right[] = {
        {"a count", &kw_batch_record, id, KW_BATCH_FIELD_COUNT, u32(KW_BATCH_DEVICES_MAX)},
        {"released", &kw_batch_record, id, KW_BATCH_FIELD_RELEASED, first(1, KW_BYTES_NONE)},
        {"the first position", &kw_device_record, id, KW_DEVICE_FIELD_POSITION, u32(0)},
        {"a binding", &kw_device_record, id, KW_DEVICE_FIELD_BINDINGS,
         set_of(bytes('7', KW_ID_LEN + KW_DEVICE_SERIAL_LEN_MAX))},
    };

    ALL_ARE(right, KW_E_NONE);
}

/* --- keys --- */

/* What one that is nothing but this blob is named by. */
static struct kw_bytes digest_of(struct kw_bytes blob)
{
    const struct kw_wrapped_parts parts = {.wrapped = blob};
    struct kw_buf digest = {0};
    uint8_t raw[KW_SHA256_LEN];

    MUST(kw_wrapped_key_digest(&parts, raw, err));
    MUST(kw_buf_append(&digest, KW_BYTES_OF(raw), err));
    return kept(&digest);
}

/* A wrapped key's name: kind ‖ whose ‖ version, if it has one ‖ KEK version ‖ digest. */
static struct kw_bytes name_by(uint8_t kind, struct kw_bytes version, uint32_t kek)
{
    return joined(joined(bytes(kind, 1), bytes(7, KW_ID_LEN)),
                  joined(version, joined(u32(kek), digest_of(bytes(8, 40)))));
}

static struct kw_bytes name_of(uint8_t kind, struct kw_bytes version)
{
    return name_by(kind, version, 1);
}

/* That an officer had a key, whose id is of these bytes, destroyed. */
static struct kw_bytes ordered(uint8_t key)
{
    struct kw_buf order = {0};
    struct kw_id id;

    MUST(kw_id_from_bytes(bytes(key, KW_ID_LEN), &id, err));
    key_officer_destroys(id, id, &order);
    return first(TIME, kept(&order));
}

Test(orchestrator_feed, keys_that_are_none_are_not_said)
{
    const struct kw_bytes id = bytes(7, KW_ID_LEN);
    const struct kw_bytes blob = bytes(8, 40);
    const struct kw_record_kind *const key = &kw_key_record;
    const struct kw_record_kind *const wrapped = &kw_wrapped_key_record;
    const struct said wrong[] = {
        {"an id", key, bytes(7, 15), KW_KEY_FIELD_VERSION, u32(1)},
        {"version 0", key, id, KW_KEY_FIELD_VERSION, u32(0)},
        {"a device", key, id, KW_KEY_FIELD_DEVICE, bytes(7, 15)},
        {"a delivery of nothing", key, id, KW_KEY_FIELD_DELIVERY, u32(1)},
        {"a kind", wrapped, name_of(3, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"a long name", wrapped, name_of(1, u32(1)), KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"a short name", wrapped, name_of(2, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"transport version 0", wrapped, name_of(2, u32(0)), KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"KEK 0", wrapped, name_by(1, KW_BYTES_NONE, 0), KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"no KEK of ours", wrapped, name_by(1, KW_BYTES_NONE, KW_HSM_KEK_VERSIONS_MAX + 1),
         KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"another blob", wrapped, name_of(1, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_WRAPPED,
         bytes(0, 1)},
        {"a MAC alone", wrapped, name_of(1, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_MAC, bytes(0, 16)},
        {"a check value alone", wrapped, name_of(1, KW_BYTES_NONE),
         KW_WRAPPED_KEY_FIELD_CHECK_VALUE, bytes(0, 3)},
        {"a nonce alone", wrapped, name_of(2, u32(1)), KW_WRAPPED_KEY_FIELD_NONCE, bytes(0, 16)},
        {"erased by nobody", wrapped, name_of(1, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_WRAPPED,
         KW_BYTES_NONE},
        {"another's end", wrapped, name_of(1, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_ORDER,
         ordered(8)},
        {"a transport key's end", wrapped, name_of(2, u32(1)), KW_WRAPPED_KEY_FIELD_ORDER,
         ordered(7)},
        {"made never", wrapped, name_of(2, u32(1)), KW_WRAPPED_KEY_FIELD_CREATED, u64(0)},
    };
    const struct said right[] = {
        {"its end", wrapped, name_of(1, KW_BYTES_NONE), KW_WRAPPED_KEY_FIELD_ORDER, ordered(7)},
        {"the last KEK", wrapped, name_by(1, KW_BYTES_NONE, KW_HSM_KEK_VERSIONS_MAX),
         KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"for transport", wrapped, name_of(2, u32(1)), KW_WRAPPED_KEY_FIELD_WRAPPED, blob},
        {"a delivery", key, id, KW_KEY_FIELD_DELIVERY, bytes(8, 5)},
    };

    ALL_ARE(wrong, KW_E_ENCODING_INVALID);
    store_fixture_close(&store);
    ALL_ARE(right, KW_E_NONE);
}

/* --- facts --- */

static struct kw_bytes fact_name(uint8_t kind)
{
    return joined(joined(bytes(7, KW_ID_LEN), bytes(kind, 1)), bytes(0, KW_ID_LEN));
}

/* That a key is compromised, with no MAC and this as the reason. */
static struct kw_bytes statement(uint64_t time_ms, struct kw_bytes justification)
{
    const struct kw_fact fact = {.key = {{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}},
                                 .kind = KW_FACT_COMPROMISED,
                                 .time_ms = TIME,
                                 .actor = kw_bytes_str("spiffe://t/operator/o")};
    struct kw_buf record = {0};
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    MUST(kw_fact_encode(&fact, &record, err));
    kw_put_var(&w, kw_buf_bytes(&record));
    kw_put_var(&w, KW_BYTES_NONE);
    kw_put_var(&w, justification);
    kw_buf_done(&record);
    return first(time_ms, kept(&buf));
}

Test(orchestrator_feed, facts_that_are_none_are_not_said)
{
    const struct kw_bytes why = kw_bytes_str("why");
    const struct kw_record_kind *const fact = &kw_fact_record;
    const struct said wrong[] = {
        {"of another kind", fact, fact_name(KW_FACT_DESTROYED), KW_FACT_FIELD_STATEMENT,
         statement(TIME, why)},
        {"of another time", fact, fact_name(KW_FACT_COMPROMISED), KW_FACT_FIELD_STATEMENT,
         statement(TIME + 1, why)},
        {"for no text", fact, fact_name(KW_FACT_COMPROMISED), KW_FACT_FIELD_STATEMENT,
         statement(TIME, bytes(0xff, 2))},
        {"nothing stated", fact, fact_name(KW_FACT_COMPROMISED), KW_FACT_FIELD_STATEMENT,
         first(TIME, KW_BYTES_NONE)},
        {"no fact stated", fact, fact_name(KW_FACT_COMPROMISED), KW_FACT_FIELD_STATEMENT,
         first(TIME, bytes(0, 6))},
    };
    const struct said right[] = {{"a fact", fact, fact_name(KW_FACT_COMPROMISED),
                                  KW_FACT_FIELD_STATEMENT, statement(TIME, why)}};

    ALL_ARE(wrong, KW_E_ENCODING_INVALID);
    store_fixture_close(&store);
    ALL_ARE(right, KW_E_NONE);
}

/* --- requests, heads --- */

Test(orchestrator_feed, requests_that_are_none_are_not_said)
{
    const struct kw_bytes nobody = joined(joined(u32(1), bytes(7, KW_ID_LEN)), u32(0));
    const struct kw_bytes name = joined(nobody, kw_bytes_str("spiffe://t/operator/o"));
    const struct kw_bytes answer = first(TIME, u32(0));
    const struct kw_bytes run = set_of(bytes(7, 8 + KW_ID_LEN + KW_SHA256_LEN));
    const struct kw_record_kind *const request = &kw_orch_request_record;
    const struct said wrong[] = {
        {"nobody's", request, nobody, KW_REQUEST_FIELD_ANSWER, answer},
        {"of no text", request, joined(nobody, bytes(0xff, 3)), KW_REQUEST_FIELD_ANSWER, answer},
        {"of a short name", request, bytes(7, 20), KW_REQUEST_FIELD_ANSWER, answer},
        {"an answer that is cut", request, name, KW_REQUEST_FIELD_ANSWER, first(TIME, u32(1))},
        {"an answer of no time", request, name, KW_REQUEST_FIELD_ANSWER, first(0, u32(0))},
        {"a run", request, name, KW_REQUEST_FIELD_RUNS, set_of(bytes(7, 55))},
    };
    const struct said right[] = {{"an answer", request, name, KW_REQUEST_FIELD_ANSWER, answer},
                                 {"a run", request, name, KW_REQUEST_FIELD_RUNS, run}};

    ALL_ARE(wrong, KW_E_ENCODING_INVALID);
    store_fixture_close(&store);
    ALL_ARE(right, KW_E_NONE);
}

static struct kw_bytes checkpoint(uint8_t core)
{
    struct kw_checkpoint made = {.seq = 5, .time_ms = TIME, .signature = bytes(1, 8)};
    struct kw_buf record = {0};

    memset(made.core.bytes, core, KW_ID_LEN);
    memset(made.stream.bytes, 8, KW_ID_LEN);
    MUST(kw_checkpoint_encode(&made, &record, err));
    return kept(&record);
}

Test(orchestrator_feed, heads_that_are_none_are_not_said)
{
    const struct kw_bytes name = joined(joined(bytes(7, KW_ID_LEN), bytes(8, KW_ID_LEN)), u64(5));
    const struct kw_record_kind *const head = &kw_receipt_head_record;
    const struct said wrong[] = {
        {"a name", head, bytes(7, 39), KW_RECEIPT_HEAD_FIELD_HEADS, set_of(bytes(7, 32))},
        {"a head", head, name, KW_RECEIPT_HEAD_FIELD_HEADS, set_of(bytes(7, 31))},
        {"no checkpoint", head, name, KW_RECEIPT_HEAD_FIELD_SIGNED, set_of(bytes(7, 90))},
        {"another chain's", head, name, KW_RECEIPT_HEAD_FIELD_SIGNED, set_of(checkpoint(6))},
    };
    const struct said right[] = {
        {"a head", head, name, KW_RECEIPT_HEAD_FIELD_HEADS, set_of(bytes(7, 32))},
        {"a checkpoint", head, name, KW_RECEIPT_HEAD_FIELD_SIGNED, set_of(checkpoint(7))}};

    ALL_ARE(wrong, KW_E_ENCODING_INVALID);
    store_fixture_close(&store);
    ALL_ARE(right, KW_E_NONE);
}

/* --- what was there before --- */

Test(orchestrator_feed, a_database_of_before_the_feed_is_refused)
{
    static const struct kw_migration before[] = {
        {"0001_initial", "CREATE TABLE facts (key BLOB NOT NULL)"}};
    struct kw_error error = {0};
    struct kw_result opened;

    MUST(store_fixture_open(&store, before, 1, err));
    store_fixture_close(&store);
    opened = store_fixture_open(&store, kw_orch_migrations, kw_orch_migration_count, &error);
    cr_assert(eq(int, opened.reason, KW_E_CONFIG_INVALID), "%s", error.message);
}
