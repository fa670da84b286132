/* Members: what is said of one, and the columns that follow. */
#include "common/feed/intent.h"
#include "common/sync/lww.h"
#include "common/sync/record_value.h"
#include "common/sync/suspension_set.h"
#include "services/authz/grant_table.h"
#include "services/authz/member_merge.h"
#include "services/authz/member_table.h"

/* --- saying --- */

static struct kw_intent intent_for(const struct kw_feed_tx *feed_tx, const struct kw_id *id)
{
    return kw_intent(&kw_member_record, kw_id_bytes(id), feed_tx->arena);
}

/* A field group that is written for the first time, `value` having been written to `w`. */
static void put_group(struct kw_intent *intent, const struct kw_feed_tx *feed_tx, uint8_t field,
                      const struct kw_writer *value)
{
    const struct kw_lww lww = {.stamp = kw_feed_stamp(feed_tx->feed, feed_tx->wall_ms),
                               .value = kw_buf_bytes(value->out)};
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    w.failed = value->failed;
    kw_put_lww(&w, &lww);
    kw_intent_written(intent, field, &w);
}

static void put_profile(struct kw_intent *intent, const struct kw_feed_tx *feed_tx,
                        const struct kw_member_row *row)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_str(&w, row->display_name);
    kw_put_str(&w, row->contact);
    kw_put_str(&w, row->location);
    put_group(intent, feed_tx, KW_MEMBER_FIELD_PROFILE, &w);
}

static void put_reach(struct kw_intent *intent, const struct kw_feed_tx *feed_tx,
                      const struct kw_member_row *row)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_str(&w, row->regions);
    kw_put_var(&w, row->products);
    put_group(intent, feed_tx, KW_MEMBER_FIELD_REACH, &w);
}

struct kw_result kw_member_insert(const struct kw_feed_tx *feed_tx, const struct kw_member_row *row,
                                  struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &row->id);

    kw_intent_u64(&intent, KW_MEMBER_FIELD_KIND, row->kind);
    kw_intent_u64(&intent, KW_MEMBER_FIELD_CREATED, row->created_ms);
    kw_intent_u64(&intent, KW_MEMBER_FIELD_STATUS, KW_MEMBER_STATUS_ACTIVE);
    put_profile(&intent, feed_tx, row);
    put_reach(&intent, feed_tx, row);
    kw_intent_u64(&intent, KW_MEMBER_FIELD_EPOCH, row->epoch);
    kw_intent_u64(&intent, KW_MEMBER_FIELD_UPDATED, row->created_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_member_suspend(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                   struct kw_id suspension, uint64_t now_ms, struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);

    kw_intent_suspension(&intent, KW_MEMBER_FIELD_SUSPENSIONS, suspension);
    kw_intent_u64(&intent, KW_MEMBER_FIELD_UPDATED, now_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_member_has_suspension(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                          struct kw_id suspension, bool *ret_has,
                                          struct kw_error *err)
{
    struct kw_record member = {0};

    KW_TRY(kw_feed_find(feed_tx->tx, &kw_member_record, kw_id_bytes(&id), feed_tx->arena, &member,
                        ret_has, err));
    *ret_has =
        kw_suspensions_has(kw_record_value(&member, KW_MEMBER_FIELD_SUSPENSIONS), suspension);
    return KW_OK;
}

struct kw_result kw_member_reinstate(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                     uint64_t now_ms, struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_record member;
    bool found;

    KW_TRY(kw_feed_find(feed_tx->tx, &kw_member_record, kw_id_bytes(&id), feed_tx->arena, &member,
                        &found, err));
    KW_ENSURE(found, err, INTERNAL, "a member without record");
    kw_put_lifted(&w, kw_record_value(&member, KW_MEMBER_FIELD_SUSPENSIONS));
    if (buf.len == 0 && !w.failed) {
        return KW_OK; /* revoked, which nothing lifts */
    }
    kw_intent_written(&intent, KW_MEMBER_FIELD_SUSPENSIONS, &w);
    kw_intent_u64(&intent, KW_MEMBER_FIELD_UPDATED, now_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* True: the number is more than the row has. */
static bool raise_to(struct kw_intent *intent, const struct kw_record *member, uint8_t field,
                     uint64_t number)
{
    if (number <= kw_record_u64(member, field)) {
        return false;
    }
    kw_intent_u64(intent, field, number);
    return true;
}

struct kw_result kw_member_raise_keys(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                      const struct kw_member_keys *keys, uint64_t now_ms,
                                      struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);
    struct kw_record member = {0};
    bool grows = false;
    bool found;

    KW_TRY(kw_feed_find(feed_tx->tx, &kw_member_record, kw_id_bytes(&id), feed_tx->arena, &member,
                        &found, err));
    grows |= raise_to(&intent, &member, KW_MEMBER_FIELD_TRANSPORT_VERSION, keys->transport_version);
    grows |= raise_to(&intent, &member, KW_MEMBER_FIELD_CONFIRMED_VERSION, keys->confirmed_version);
    grows |=
        raise_to(&intent, &member, KW_MEMBER_FIELD_CERTIFICATE_EXPIRE, keys->certificate_expire_ms);
    if (!grows) {
        return KW_OK;
    }
    kw_intent_u64(&intent, KW_MEMBER_FIELD_UPDATED, now_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* --- columns --- */

/* False: not all of it is here. A group may wait for its time, and what is said of a member may come
 * before the member. */
static bool read_member(struct kw_record_values *values, struct kw_member_row *row)
{
    const struct kw_record *record = values->record;
    struct kw_reader profile = {0};
    struct kw_reader reach = {0};
    bool whole = kw_value_lww(values, KW_MEMBER_FIELD_PROFILE, &profile);

    if (whole) {
        row->display_name = kw_values_words(values, kw_get_var(&profile));
        row->contact = kw_values_words(values, kw_get_var(&profile));
        row->location = kw_values_words(values, kw_get_var(&profile));
        kw_values_require(values,
                          !profile.failed); /* a later release may have put more behind it */
    }
    if (kw_value_lww(values, KW_MEMBER_FIELD_REACH, &reach)) {
        row->regions = kw_values_words(values, kw_get_var(&reach));
        row->products = kw_get_var(&reach);
        kw_values_require(values, !reach.failed && row->products.len % KW_ID_LEN == 0);
    }
    row->kind = (enum kw_member_kind)kw_value_u64(values, KW_MEMBER_FIELD_KIND, KW_MEMBER_STATION);
    row->created_ms = kw_value_u64(values, KW_MEMBER_FIELD_CREATED, INT64_MAX);
    row->epoch = (uint32_t)kw_value_u64(values, KW_MEMBER_FIELD_EPOCH, UINT32_MAX);
    row->transport_version =
        (uint32_t)kw_value_u64(values, KW_MEMBER_FIELD_TRANSPORT_VERSION, UINT32_MAX);
    row->confirmed_version =
        (uint32_t)kw_value_u64(values, KW_MEMBER_FIELD_CONFIRMED_VERSION, UINT32_MAX);
    row->certificate_expire_ms =
        kw_value_u64(values, KW_MEMBER_FIELD_CERTIFICATE_EXPIRE, INT64_MAX);
    row->updated_ms = kw_value_u64(values, KW_MEMBER_FIELD_UPDATED, INT64_MAX);
    row->suspended = kw_member_record_stopped(record);
    row->revoke_all = kw_record_value(record, KW_MEMBER_FIELD_REVOKE_ALL);
    return whole && kw_record_has(record, KW_MEMBER_FIELD_REACH) && row->kind != 0 &&
           row->epoch != 0;
}

struct kw_result kw_member_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_record_values values = {.record = record};
    struct kw_member_row row;

    kw_values_require(&values, record->key.len == KW_ID_LEN);
    (void)read_member(&values, &row);
    return kw_values_end(&values, err);
}

bool kw_member_disables(const struct kw_record *change)
{
    return kw_member_record_stopped(change) || kw_record_has(change, KW_MEMBER_FIELD_REVOKE_ALL);
}

static const char select_revoke_all[] = "SELECT revoke_all FROM members WHERE id = $1";

/* Which of its grants stand follows from this, and changes only with it. */
static struct kw_result grants_overrule(struct kw_tx *tx, struct kw_bytes member,
                                        struct kw_bytes revoke_all, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_revoke_all, &stmt, err));
    kw_bind_blob(stmt, 1, member);
    KW_TRY(kw_step(stmt, &found, err));
    if (revoke_all.len == 0 || (found && kw_bytes_equal(kw_col_blob(stmt, 0), revoke_all))) {
        return KW_OK;
    }
    return kw_grant_overrule(tx, member, revoke_all, err);
}

static const char put_member[] =
    "INSERT INTO members (id, kind, display_name, contact, location, regions, products, epoch,"
    " created_ms, updated_ms, suspended, revoke_all, transport_version, confirmed_version,"
    " certificate_expire_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, display_name = excluded.display_name,"
    " contact = excluded.contact, location = excluded.location, regions = excluded.regions,"
    " products = excluded.products, epoch = excluded.epoch, created_ms = excluded.created_ms,"
    " updated_ms = excluded.updated_ms, suspended = excluded.suspended,"
    " revoke_all = excluded.revoke_all, transport_version = excluded.transport_version,"
    " confirmed_version = excluded.confirmed_version,"
    " certificate_expire_ms = excluded.certificate_expire_ms";

struct kw_result kw_member_project(struct kw_tx *tx, const struct kw_record *merged,
                                   struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = arena};
    struct kw_member_row row = {0};
    bool whole = read_member(&values, &row);
    struct kw_stmt *stmt;

    KW_TRY(kw_values_end(&values, err));
    if (!whole) {
        return KW_OK;
    }
    KW_TRY(grants_overrule(tx, merged->key, row.revoke_all, err));
    KW_TRY(kw_sql(tx, put_member, &stmt, err));
    kw_bind_blob(stmt, 1, merged->key);
    kw_bind_i64(stmt, 2, row.kind);
    kw_bind_text(stmt, 3, row.display_name);
    kw_bind_text(stmt, 4, row.contact);
    kw_bind_text(stmt, 5, row.location);
    kw_bind_text(stmt, 6, row.regions);
    kw_bind_blob(stmt, 7, row.products);
    kw_bind_i64(stmt, 8, row.epoch);
    kw_bind_i64(stmt, 9, (int64_t)row.created_ms);
    kw_bind_i64(stmt, 10, (int64_t)row.updated_ms);
    kw_bind_i64(stmt, 11, row.suspended);
    kw_bind_blob(stmt, 12, row.revoke_all);
    kw_bind_i64(stmt, 13, row.transport_version);
    kw_bind_i64(stmt, 14, row.confirmed_version);
    kw_bind_i64(stmt, 15, (int64_t)row.certificate_expire_ms);
    return kw_exec(stmt, NULL, err);
}
