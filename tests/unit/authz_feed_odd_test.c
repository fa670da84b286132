/* Authz's rows as perhaps no cell of ours writes them: what is refused, and that the rest can be written. */
#include "common/feed/intent.h"
#include "common/sync/first.h"
#include "common/sync/suspension_set.h"
#include "services/authz/certificate_merge.h"
#include "services/authz/certificate_table.h"
#include "services/authz/disabled_merge.h"
#include "services/authz/feed_tables.h"
#include "services/authz/grant_merge.h"
#include "services/authz/grant_table.h"
#include "services/authz/invitation_merge.h"
#include "services/authz/invitation_table.h"
#include "services/authz/member_merge.h"
#include "services/authz/member_table.h"
#include "services/authz/quota_merge.h"
#include "services/authz/quota_table.h"
#include "services/authz/request_merge.h"
#include "services/authz/request_table.h"
#include "tests/support/merge_values.h"
#include "tests/unit/authz_feed_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(authz_feed_odd, .init = feed_init, .fini = feed_done);

/* --- what disables, and so goes ahead --- */

static struct kw_record of(const struct kw_record_kind *kind, uint8_t field, struct kw_bytes value)
{
    static const struct kw_id key = {{1}};
    struct kw_record record = {.table = kind->table, .key = kw_id_bytes(&key)};

    cr_assert(kw_ok(kw_record_set(&record, kind, field, value, NULL)));
    return record;
}

static const struct kw_feed_table *table_of(uint16_t number)
{
    for (size_t i = 0; i < kw_authz_feed_table_count; i++) {
        if (kw_authz_feed_tables[i].kind->table == number) {
            return &kw_authz_feed_tables[i];
        }
    }
    return NULL;
}

static bool disables(const struct kw_record_kind *kind, uint8_t field, struct kw_bytes value)
{
    const struct kw_record record = of(kind, field, value);
    const struct kw_feed_table *table = table_of(kind->table);

    return table->disables != NULL && table->disables(&record);
}

Test(authz_feed_odd, what_takes_away_disables_and_nothing_else)
{
    struct kw_bytes when = value_first(1, store_a, "");
    struct kw_bytes set = value_suspensions(KW_SUSPENSION_SET, 0);
    struct kw_bytes lifted = value_suspensions(KW_SUSPENSION_LIFTED, 0);

    cr_assert(disables(&kw_member_record, KW_MEMBER_FIELD_SUSPENSIONS, set));
    cr_assert(not(disables(&kw_member_record, KW_MEMBER_FIELD_SUSPENSIONS, lifted)));
    cr_assert(disables(&kw_member_record, KW_MEMBER_FIELD_STATUS, value_u64(2)));
    cr_assert(not(disables(&kw_member_record, KW_MEMBER_FIELD_STATUS, value_u64(1))));
    cr_assert(disables(&kw_member_record, KW_MEMBER_FIELD_REVOKE_ALL, value_vector(1, 0)));
    cr_assert(disables(&kw_certificate_record, KW_CERTIFICATE_FIELD_REVOKED, when));
    cr_assert(disables(&kw_certificate_record, KW_CERTIFICATE_FIELD_HOLDS, set));
    cr_assert(not(disables(&kw_certificate_record, KW_CERTIFICATE_FIELD_KNOWN, when)));
    cr_assert(disables(&kw_invitation_record, KW_INVITATION_FIELD_HELD, when));
    cr_assert(disables(&kw_invitation_record, KW_INVITATION_FIELD_ENDED, when));
    cr_assert(not(disables(&kw_invitation_record, KW_INVITATION_FIELD_ENROLMENTS, value_set("x"))));
    cr_assert(disables(&kw_grant_record, KW_GRANT_FIELD_REVOKED, when));
    cr_assert(disables(&kw_disabled_record, KW_DISABLED_FIELD_STATEMENT, when));
    cr_assert(not(disables(&kw_quota_record, KW_QUOTA_FIELD_USED, value_vector(1, 0))));
}

/* --- what no cell of ours writes --- */

static bool fits(const struct kw_record *record)
{
    return kw_ok(table_of(record->table)->check(record, NULL));
}

static bool field_fits(const struct kw_record_kind *kind, uint8_t field, struct kw_bytes value)
{
    const struct kw_record record = of(kind, field, value);

    return fits(&record);
}

Test(authz_feed_odd, a_field_that_its_column_cannot_take_is_refused)
{
    struct kw_bytes text = kw_bytes_str("\xff");
    struct kw_bytes never = value_first(UINT64_MAX, store_a, "");

    cr_assert(field_fits(&kw_member_record, KW_MEMBER_FIELD_KIND, value_u64(2)));
    cr_assert(not(field_fits(&kw_member_record, KW_MEMBER_FIELD_KIND, value_u64(3))));
    cr_assert(not(field_fits(&kw_member_record, KW_MEMBER_FIELD_PROFILE,
                             value_lww(1, store_a, "no profile"))));
    cr_assert(
        not(field_fits(&kw_member_record, KW_MEMBER_FIELD_REACH, value_lww(1, store_a, "x"))));
    cr_assert(not(field_fits(&kw_member_record, KW_MEMBER_FIELD_EPOCH, value_u64(UINT64_MAX))));
    cr_assert(not(field_fits(&kw_grant_record, KW_GRANT_FIELD_PARTNER, text)));
    cr_assert(not(field_fits(&kw_grant_record, KW_GRANT_FIELD_PURPOSE, text)));
    cr_assert(not(field_fits(&kw_grant_record, KW_GRANT_FIELD_SCOPE, value_u64(4))));
    cr_assert(not(field_fits(&kw_grant_record, KW_GRANT_FIELD_DEVICES, text)));
    cr_assert(not(field_fits(&kw_grant_record, KW_GRANT_FIELD_OPERATIONS, value_u64(8))));
    cr_assert(not(field_fits(&kw_grant_record, KW_GRANT_FIELD_REVOKED, never)));
    cr_assert(
        not(field_fits(&kw_invitation_record, KW_INVITATION_FIELD_ENROLMENTS, value_set("x"))));
    cr_assert(not(field_fits(&kw_invitation_record, KW_INVITATION_FIELD_ANSWER,
                             value_first(1, store_a, "short"))));
    cr_assert(not(field_fits(&kw_authz_request_record, KW_REQUEST_FIELD_RUNS, value_set("x"))));
    cr_assert(not(field_fits(&kw_disabled_record, KW_DISABLED_FIELD_STATEMENT,
                             value_first(1, store_a, "no fact"))));
}

/* The n-th byte of the key is another one; past its end: one more. */
static bool fact_fits(enum kw_fact_kind kind, size_t n)
{
    const struct kw_fact fact = {.key = {{4}},
                                 .kind = kind,
                                 .ref = kind == KW_FACT_SUSPENDED ? store_a : KW_ID_NONE,
                                 .time_ms = 1,
                                 .capsule = {{8}},
                                 .actor = kw_bytes_str("spiffe://x/operator/opr")};
    struct kw_record record = {.table = KW_TABLE_DISABLING_FACTS};
    uint8_t key[KW_ID_LEN + KW_ID_LEN + 1 + KW_ID_LEN + 1] = {9};
    struct kw_buf encoded = {0};
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_first statement = {.time_ms = 1, .store = store_a};

    cr_assert(kw_ok(kw_fact_encode(&fact, &encoded, NULL)));
    statement.detail = kw_buf_bytes(&encoded);
    kw_put_first(&w, &statement);
    kw_copy(key + KW_ID_LEN, fact.key.bytes, KW_ID_LEN);
    key[2 * KW_ID_LEN] = (uint8_t)kind;
    kw_copy(key + 2 * KW_ID_LEN + 1, fact.ref.bytes, KW_ID_LEN);
    key[n] ^= 1;
    record.key = KW_BYTES(key, n < sizeof(key) - 1 ? sizeof(key) - 1 : sizeof(key));
    cr_assert(kw_ok(kw_record_set(&record, &kw_disabled_record, KW_DISABLED_FIELD_STATEMENT,
                                  value_keep(&buf), NULL)));
    kw_buf_done(&encoded);
    return fits(&record);
}

Test(authz_feed_odd, a_fact_is_what_its_key_says_and_disables)
{
    cr_assert(fact_fits(KW_FACT_SUSPENDED, 0)); /* of whichever device */
    cr_assert(not(fact_fits(KW_FACT_SUSPENDED, KW_ID_LEN)));
    cr_assert(not(fact_fits(KW_FACT_SUSPENDED, 2 * KW_ID_LEN)));
    cr_assert(not(fact_fits(KW_FACT_SUSPENDED, 2 * KW_ID_LEN + 1)));
    cr_assert(not(fact_fits(KW_FACT_SUSPENDED, 3 * KW_ID_LEN + 1)));
    cr_assert(not(fact_fits(KW_FACT_ACTIVATED, 0)));
}

Test(authz_feed_odd, a_row_under_another_kind_of_key_is_refused)
{
    static const struct kw_record_kind *const kinds[] = {
        &kw_member_record, &kw_certificate_record,   &kw_invitation_record, &kw_grant_record,
        &kw_quota_record,  &kw_authz_request_record, &kw_disabled_record};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct kw_record record = {.table = kinds[i]->table, .key = kw_bytes_str("key")};

        cr_assert(not(fits(&record)), "%s", kinds[i]->name);
    }
}

/* --- whatever is let in can be written: else one row would stop its lane --- */

/* One row of each table, as we write it ourselves. */
static struct kw_result rows_make(const struct kw_feed_tx *feed_tx, struct kw_error *err)
{
    const struct kw_certificate_row certificate = {
        .fingerprint = {1}, .name = "c", .role = KW_CALLER_PARTNER, .owner = feed_member_id};
    const struct kw_invitation_row invitation = {
        .id = {{1}}, .member = feed_member_id, .record = kw_bytes_str("KWI1"), .expire_ms = 2};
    const struct kw_request_key key = {feed_member_id, 1, feed_grant_id};
    const struct kw_request_row request = {.response = kw_bytes_str("answer"), .created_ms = 5};
    struct kw_quota quota = {.grant = feed_grant_id, .window_start_ms = 5, .used = 1};
    struct kw_record member;

    KW_TRY(feed_member_make(feed_tx, &member, err));
    KW_TRY(kw_certificate_insert(feed_tx, &certificate, err));
    KW_TRY(kw_invitation_insert(feed_tx, &invitation, err));
    KW_TRY(kw_invitation_answer(feed_tx, invitation.id, kw_bytes_str("a"), KW_BYTES_NONE, 1, err));
    KW_TRY(feed_grant_make(feed_tx, KW_BYTES_NONE, err));
    KW_TRY(kw_quota_store(feed_tx, &quota, err));
    return kw_request_insert(feed_tx, &key, &request, err);
}

static size_t odd_values(struct kw_bytes *values)
{
    static const uint8_t zeros[64];
    const struct kw_bytes all[] = {value_u64(1),
                                   value_u64(2),
                                   value_u64(3),
                                   value_u64(65536),
                                   value_u64(INT64_MAX),
                                   value_u64(UINT64_MAX),
                                   KW_BYTES(zeros, 1),
                                   KW_BYTES(zeros, 8),
                                   KW_BYTES(zeros, 16),
                                   KW_BYTES(zeros, 64),
                                   kw_bytes_str("text"),
                                   kw_bytes_str("\xff\xfe"),
                                   value_first(0, store_a, ""),
                                   value_first(INT64_MAX, store_a, "why"),
                                   value_first(UINT64_MAX, store_a, ""),
                                   value_first(1, store_a, "\xff"),
                                   value_lww(1, store_a, "x"),
                                   value_lww(1, store_a, ""),
                                   value_set("x"),
                                   value_set("xyz"),
                                   value_vector(UINT64_MAX, UINT64_MAX),
                                   value_vector(1, 0),
                                   value_suspensions(KW_SUSPENSION_SET, KW_SUSPENSION_LIFTED)};

    memcpy(values, all, sizeof(all));
    return sizeof(all) / sizeof(all[0]);
}

/* The row under a new key, with one field as no cell of ours writes it. */
static struct kw_result try_field(const struct kw_feed_tx *feed_tx, const struct kw_record *row,
                                  uint8_t field, struct kw_bytes value, struct kw_error *err)
{
    static uint32_t number;
    const struct kw_feed_table *table = table_of(row->table);
    struct kw_record odd = *row;
    uint8_t key[64];

    memcpy(key, row->key.data, row->key.len);
    kw_be32_store(key, 0xffU << 24 | number++);
    odd.key = KW_BYTES(key, row->key.len);
    if (!kw_ok(kw_record_set(&odd, table->kind, field, value, NULL)) || !fits(&odd)) {
        return KW_OK;
    }
    return kw_feed_change(feed_tx, &odd, NULL, err);
}

static struct kw_result try_fields(const struct kw_feed_tx *feed_tx, const struct kw_record *row,
                                   struct kw_error *err)
{
    const struct kw_record_kind *kind = table_of(row->table)->kind;
    struct kw_bytes values[32];
    size_t count = odd_values(values);

    for (size_t field = 1; field < kind->field_end; field++) {
        for (size_t i = 0; i < count; i++) {
            KW_TRY(try_field(feed_tx, row, (uint8_t)field, values[i], err));
        }
    }
    return KW_OK;
}

/* The first row of a table. */
static struct kw_result row_of(struct kw_tx *tx, const struct kw_record_kind *kind,
                               struct kw_record *ret_row, bool *ret_found, struct kw_error *err)
{
    static const char sql[] = "SELECT key FROM feed_records WHERE kind = $1 ORDER BY key LIMIT 1";
    struct kw_bytes key = KW_BYTES_NONE;
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    KW_TRY(kw_step(stmt, ret_found, err));
    if (!*ret_found) {
        return KW_OK;
    }
    KW_TRY(kw_arena_copy(feed_arena, kw_col_blob(stmt, 0), &key, err));
    return kw_feed_find(tx, kind, key, feed_arena, ret_row, ret_found, err);
}

static STORE_TEST_RUN(odd_rows_are_written)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);
    size_t tables = 0;

    (void)job;
    KW_TRY(rows_make(&feed_tx, err));
    for (size_t i = 1; i < kw_authz_feed_table_count; i++) {
        struct kw_record row;
        bool found;

        KW_TRY(row_of(tx, kw_authz_feed_tables[i].kind, &row, &found, err));
        if (found) {
            tables++;
            KW_TRY(try_fields(&feed_tx, &row, err));
        }
    }
    cr_assert(eq(sz, tables, 6)); /* all but facts, of which there is one way to write one */
    return KW_OK;
}

Test(authz_feed_odd, what_is_let_in_can_be_written)
{
    in_tx(odd_rows_are_written);
}

/* --- what is said of a row that is not there --- */

static STORE_TEST_RUN(nobody_is_reinstated)
{
    const struct kw_feed_tx feed_tx = feed_of(tx);

    (void)job;
    cr_assert(eq(int, kw_member_reinstate(&feed_tx, feed_member_id, 5, err).reason, KW_E_INTERNAL));
    return KW_OK;
}

Test(authz_feed_odd, who_is_no_member_is_not_said_to_be_reinstated)
{
    in_tx(nobody_is_reinstated);
}
