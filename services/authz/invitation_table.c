/* SQL of table invitations. */
#include "services/authz/invitation_table.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/intent.h"
#include "common/sync/grow_set.h"
#include "common/sync/record_value.h"
#include "services/authz/invitation_merge.h"
#include "services/authz/member_table.h"

#define PAGE_LEN 64

static const char select_one[] = "SELECT member, record, created_ms, expire_ms, enrolment, "
                                 "response, held, ended, receipt FROM invitations"
                                 " WHERE id = $1";
static const char select_earlier[] =
    "SELECT id FROM invitations WHERE member = $1 AND id <> $2 AND created_ms <= $3 AND ended = 0"
    " AND id > $4 ORDER BY id LIMIT $5";
static const char put_invitation[] =
    "INSERT INTO invitations (id, member, record, created_ms, expire_ms, enrolment, response,"
    " receipt, held, ended) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    " ON CONFLICT (id) DO UPDATE SET member = excluded.member, record = excluded.record,"
    " created_ms = excluded.created_ms, expire_ms = excluded.expire_ms,"
    " enrolment = excluded.enrolment, response = excluded.response, receipt = excluded.receipt,"
    " held = excluded.held, ended = excluded.ended";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_invitation_row *row, struct kw_error *err)
{
    KW_TRY(kw_col_id(stmt, 0, &row->member, err));
    KW_TRY(kw_row_bytes(stmt, 1, arena, &row->record, err));
    row->created_ms = (uint64_t)kw_col_i64(stmt, 2);
    row->expire_ms = (uint64_t)kw_col_i64(stmt, 3);
    row->claimed = !kw_col_is_null(stmt, 4);
    if (row->claimed) {
        KW_TRY(kw_row_fixed(stmt, 4, row->enrolment, sizeof(row->enrolment), err));
    }
    KW_TRY(kw_row_bytes(stmt, 5, arena, &row->response, err));
    row->held = kw_col_i64(stmt, 6) != 0;
    row->ended = kw_col_i64(stmt, 7) != 0;
    return kw_row_bytes(stmt, 8, arena, &row->receipt, err);
}

struct kw_result kw_invitation_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                    struct kw_invitation_row *ret_row, bool *ret_found,
                                    struct kw_error *err)
{
    struct kw_invitation_row row = {.id = id};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_one, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, arena, &row, err));
        *ret_row = row;
    }
    *ret_found = found;
    return KW_OK;
}

/* --- saying --- */

static struct kw_intent intent_for(const struct kw_feed_tx *feed_tx, const struct kw_id *id)
{
    return kw_intent(&kw_invitation_record, kw_id_bytes(id), feed_tx->arena);
}

struct kw_result kw_invitation_insert(const struct kw_feed_tx *feed_tx,
                                      const struct kw_invitation_row *row, struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &row->id);
    struct kw_invitation_row present;
    bool found;

    KW_TRY(kw_invitation_find(feed_tx->tx, row->id, feed_tx->arena, &present, &found, err));
    if (found) {
        return KW_OK;
    }
    kw_intent_id(&intent, KW_INVITATION_FIELD_MEMBER, &row->member);
    kw_intent_bytes(&intent, KW_INVITATION_FIELD_RECORD, row->record);
    kw_intent_u64(&intent, KW_INVITATION_FIELD_CREATED, row->created_ms);
    kw_intent_u64(&intent, KW_INVITATION_FIELD_EXPIRE, row->expire_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_invitation_claim(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                     const uint8_t enrolment[KW_SHA256_LEN], struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);

    kw_intent_element(&intent, KW_INVITATION_FIELD_ENROLMENTS, KW_BYTES(enrolment, KW_SHA256_LEN));
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_invitation_hold(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                    const uint8_t enrolment[KW_SHA256_LEN], uint64_t now_ms,
                                    struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);

    kw_intent_element(&intent, KW_INVITATION_FIELD_ENROLMENTS, KW_BYTES(enrolment, KW_SHA256_LEN));
    kw_intent_first(&intent, KW_INVITATION_FIELD_HELD, feed_tx->feed, now_ms, KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* A page of the member's earlier ones, behind `after`. */
static struct kw_result earlier_read(struct kw_tx *tx, const struct kw_invitation_row *than,
                                     const struct kw_id *after, struct kw_id *ids,
                                     size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    *ret_count = 0;
    KW_TRY(kw_sql(tx, select_earlier, &stmt, err));
    kw_bind_id(stmt, 1, &than->member);
    kw_bind_id(stmt, 2, &than->id);
    kw_bind_i64(stmt, 3, (int64_t)than->created_ms);
    kw_bind_id(stmt, 4, after);
    kw_bind_i64(stmt, 5, PAGE_LEN);
    KW_TRY(kw_step(stmt, &found, err));
    while (found) {
        KW_TRY(kw_col_id(stmt, 0, &ids[*ret_count], err));
        *ret_count += 1;
        KW_TRY(kw_step(stmt, &found, err));
    }
    return KW_OK;
}

static struct kw_result end_one(const struct kw_feed_tx *feed_tx, const struct kw_id *id,
                                uint64_t now_ms, struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, id);

    kw_intent_first(&intent, KW_INVITATION_FIELD_ENDED, feed_tx->feed, now_ms, KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_invitation_end_earlier(const struct kw_feed_tx *feed_tx,
                                           const struct kw_invitation_row *than, uint64_t now_ms,
                                           struct kw_error *err)
{
    struct kw_id ids[PAGE_LEN];
    struct kw_id after = KW_ID_NONE;
    size_t count = PAGE_LEN;

    while (count == PAGE_LEN) {
        KW_TRY(earlier_read(feed_tx->tx, than, &after, ids, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(end_one(feed_tx, &ids[i], now_ms, err));
            after = ids[i];
        }
    }
    return KW_OK;
}

/* The detail of ANSWER: response, with its length as u32 before it ‖ receipt. */
struct kw_result kw_invitation_answer(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                      struct kw_bytes response, struct kw_bytes receipt,
                                      uint64_t now_ms, struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);
    KW_SCOPED(kw_buf_done) struct kw_buf detail = {0};
    struct kw_writer w = KW_WRITER(&detail);

    kw_put_u32(&w, (uint32_t)response.len);
    kw_put_raw(&w, response);
    kw_put_raw(&w, receipt);
    KW_TRY(kw_writer_end(&w, err));
    kw_intent_first(&intent, KW_INVITATION_FIELD_ANSWER, feed_tx->feed, now_ms,
                    kw_buf_bytes(&detail));
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* --- columns --- */

struct reading {
    struct kw_invitation_row row;
    struct kw_bytes enrolment; /* the one there is, or one of them; empty: none */
};

static void read_enrolments(struct kw_record_values *values, struct reading *reading)
{
    struct kw_bytes set = kw_record_value(values->record, KW_INVITATION_FIELD_ENROLMENTS);
    struct kw_bytes element;

    while (kw_set_next(&set, &element)) {
        kw_values_require(values, element.len == KW_SHA256_LEN);
        reading->enrolment = element;
    }
}

static void read_answer(struct kw_record_values *values, struct kw_invitation_row *row)
{
    struct kw_first answer;
    struct kw_reader r;

    if (kw_value_first(values, KW_INVITATION_FIELD_ANSWER, &answer)) {
        r = KW_READER(answer.detail);
        row->response = kw_get_raw(&r, kw_get_u32(&r));
        row->receipt = r.rest;
        kw_values_require(values, !r.failed && row->response.len > 0);
    }
}

/* False: not all of it is here; its end goes ahead. */
static bool read_invitation(struct kw_record_values *values, struct reading *reading)
{
    struct kw_invitation_row *row = &reading->row;
    struct kw_first when;

    row->member = kw_value_id(values, KW_INVITATION_FIELD_MEMBER);
    row->record = kw_record_value(values->record, KW_INVITATION_FIELD_RECORD);
    row->created_ms = kw_value_u64(values, KW_INVITATION_FIELD_CREATED, INT64_MAX);
    row->expire_ms = kw_value_u64(values, KW_INVITATION_FIELD_EXPIRE, INT64_MAX);
    read_enrolments(values, reading);
    read_answer(values, row);
    (void)kw_value_first(values, KW_INVITATION_FIELD_HELD, &when);
    row->ended = kw_value_first(values, KW_INVITATION_FIELD_ENDED, &when);
    row->held = kw_invitation_record_held(values->record);
    return !kw_id_is_none(row->member) && row->record.len > 0;
}

struct kw_result kw_invitation_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_record_values values = {.record = record};
    struct reading reading = {0};

    kw_values_require(&values, record->key.len == KW_ID_LEN);
    (void)read_invitation(&values, &reading);
    return kw_values_end(&values, err);
}

bool kw_invitation_disables(const struct kw_record *change)
{
    return kw_invitation_record_over(change);
}

static void bind_claim(struct kw_stmt *stmt, const struct reading *reading)
{
    if (reading->enrolment.len > 0) {
        kw_bind_blob(stmt, 6, reading->enrolment);
    }
    if (reading->row.response.len > 0) {
        kw_bind_blob(stmt, 7, reading->row.response);
        kw_bind_blob(stmt, 8, reading->row.receipt);
    }
}

struct kw_result kw_invitation_project(struct kw_tx *tx, const struct kw_record *merged,
                                       struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = arena};
    struct reading reading = {0};
    bool whole = read_invitation(&values, &reading);
    struct kw_stmt *stmt;

    KW_TRY(kw_values_end(&values, err));
    if (!whole) {
        return KW_OK;
    }
    KW_TRY(kw_sql(tx, put_invitation, &stmt, err));
    kw_bind_blob(stmt, 1, merged->key);
    kw_bind_id(stmt, 2, &reading.row.member);
    kw_bind_blob(stmt, 3, reading.row.record);
    kw_bind_i64(stmt, 4, (int64_t)reading.row.created_ms);
    kw_bind_i64(stmt, 5, (int64_t)reading.row.expire_ms);
    bind_claim(stmt, &reading);
    kw_bind_i64(stmt, 9, reading.row.held);
    kw_bind_i64(stmt, 10, reading.row.ended);
    return kw_exec(stmt, NULL, err);
}

/* --- what follows in a cell that hears of it --- */

static void alarm_held(const struct kw_id *id, const struct kw_id *member)
{
    kw_metric_add(KW_M_ENROLLMENTS_HELD, NULL, 1);
    KW_LOG(ERROR, "alarm: invitation held, two enrolments in two cells were answered",
           KW_F_ID("invitation", KW_ID_INVITATION, *id), KW_F_HEX("member", kw_id_bytes(member)));
}

/* A cell whose lane has forked can't say it; another one does. */
struct kw_result kw_invitation_react(const struct kw_feed_tx *feed_tx,
                                     const struct kw_record *merged, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = feed_tx->arena};
    struct reading reading = {0};
    bool whole = read_invitation(&values, &reading);
    bool has_voice;
    bool is_known;

    if (!whole || !reading.row.held || reading.row.response.len == 0) {
        return KW_OK;
    }
    kw_copy(reading.row.id.bytes, merged->key.data, KW_ID_LEN);
    KW_TRY(kw_member_has_suspension(feed_tx, reading.row.member, reading.row.id, &is_known, err));
    KW_TRY(kw_feed_has_voice(feed_tx, &has_voice, err));
    if (is_known || !has_voice) {
        return KW_OK;
    }
    alarm_held(&reading.row.id, &reading.row.member);
    return kw_member_suspend(feed_tx, reading.row.member, reading.row.id, feed_tx->wall_ms, err);
}
