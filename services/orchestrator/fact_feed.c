/* Facts on the feed. */
#include "services/orchestrator/fact_feed.h"

#include "common/feed/intent.h"
#include "common/sync/first.h"
#include "services/orchestrator/fact_merge.h"
#include "services/orchestrator/field_forms.h"

/* Key version ‖ kind u8 ‖ suspension. */
static struct kw_result name_write(const struct kw_fact *fact, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_id_bytes(&fact->key));
    kw_put_u8(&w, (uint8_t)fact->kind);
    kw_put_raw(&w, kw_id_bytes(&fact->ref));
    return kw_writer_end(&w, err);
}

/* KWF1 var ‖ MAC var ‖ justification var. */
static struct kw_result statement_write(const struct kw_fact_row *row, struct kw_buf *out,
                                        struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_var(&w, row->record);
    kw_put_var(&w, row->mac);
    kw_put_str(&w, row->justification);
    return kw_writer_end(&w, err);
}

struct kw_result kw_fact_state(const struct kw_feed_tx *feed_tx, const struct kw_fact_row *row,
                               struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf statement = {0};
    struct kw_intent intent;

    KW_TRY(name_write(&row->fact, &name, err));
    KW_TRY(statement_write(row, &statement, err));
    intent = kw_intent(&kw_fact_record, kw_buf_bytes(&name), feed_tx->arena);
    kw_intent_first(&intent, KW_FACT_FIELD_STATEMENT, feed_tx->feed, row->fact.time_ms,
                    kw_buf_bytes(&statement));
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* The statement of a record that has one; `ret_justification` has no NUL. */
static struct kw_result statement_read(const struct kw_record *record, struct kw_fact_row *ret_row,
                                       struct kw_bytes *ret_justification, struct kw_error *err)
{
    struct kw_first first = {0};
    struct kw_fact_row row = {0};
    struct kw_reader r;

    (void)kw_first_read(kw_record_value(record, KW_FACT_FIELD_STATEMENT), &first);
    r = KW_READER(first.detail);
    row.record = kw_get_var(&r);
    row.mac = kw_get_var(&r);
    *ret_justification = kw_get_text(&r);
    KW_TRY(kw_reader_end(&r, "a statement", err));
    KW_TRY(kw_fact_decode(row.record, &row.fact, err));
    KW_ENSURE(row.fact.time_ms == first.time_ms && kw_form_is_time(first.time_ms), err,
              ENCODING_INVALID, "a fact is not of the time of its statement");
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_fact_check(const struct kw_record *record, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};
    struct kw_bytes justification;
    struct kw_fact_row row;

    if (!kw_record_has(record, KW_FACT_FIELD_STATEMENT)) {
        return KW_OK;
    }
    KW_TRY(statement_read(record, &row, &justification, err));
    KW_TRY(name_write(&row.fact, &name, err));
    KW_ENSURE(kw_bytes_equal(kw_buf_bytes(&name), record->key), err, ENCODING_INVALID,
              "a fact is stored under another's name");
    return KW_OK;
}

bool kw_fact_disables(const struct kw_record *change)
{
    struct kw_bytes justification;
    struct kw_fact_row row;

    return kw_record_has(change, KW_FACT_FIELD_STATEMENT) &&
           kw_ok(statement_read(change, &row, &justification, NULL)) &&
           !kw_fact_kind_enabling(row.fact.kind);
}

struct kw_result kw_fact_project(struct kw_tx *tx, const struct kw_record *merged,
                                 struct kw_arena *arena, struct kw_error *err)
{
    struct kw_bytes justification;
    struct kw_fact_row row;

    if (!kw_record_has(merged, KW_FACT_FIELD_STATEMENT)) {
        return KW_OK;
    }
    KW_TRY(statement_read(merged, &row, &justification, err));
    KW_TRY(kw_form_text(justification, arena, &row.justification, err));
    return kw_fact_put(tx, &row, err);
}
