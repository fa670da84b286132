/* Facts: the table of kinds, and the record KWF1 in and out. */
#include "common/lifecycle/fact.h"

#include "common/base/limits.h"

#define MAGIC     "KWF1"
#define MAC_LABEL "KEYWARD-FACT-v1"

struct kind_row {
    const char *name;
    bool enabling;
    bool has_ref;
};

static const struct kind_row kinds[KW_FACT_KIND_END_] = {
    [KW_FACT_CONFIRMED] = {"confirmed", true, false},
    [KW_FACT_PROTECTED] = {"protected", true, false},
    [KW_FACT_ACTIVATED] = {"activated", true, false},
    [KW_FACT_SUSPENDED] = {"suspended", false, true},
    [KW_FACT_LIFTED] = {"lifted", true, true},
    [KW_FACT_DEACTIVATED] = {"deactivated", false, false},
    [KW_FACT_COMPROMISED] = {"compromised", false, false},
    [KW_FACT_DESTROYED] = {"destroyed", false, false},
};

/* The kind's row, or NULL. Read from outside, so the number may be anything. */
static const struct kind_row *kind_row(enum kw_fact_kind kind)
{
    if ((unsigned)kind >= KW_FACT_KIND_END_ || kinds[kind].name == NULL) {
        return NULL;
    }
    return &kinds[kind];
}

const char *kw_fact_kind_name(enum kw_fact_kind kind)
{
    const struct kind_row *row = kind_row(kind);

    return row != NULL ? row->name : "unknown";
}

bool kw_fact_kind_enabling(enum kw_fact_kind kind)
{
    const struct kind_row *row = kind_row(kind);

    return row != NULL && row->enabling;
}

/* What is wrong with the fields, or NULL: the same question for both directions. */
static const char *fault(const struct kw_fact *fact)
{
    const struct kind_row *row = kind_row(fact->kind);

    if (row == NULL) {
        return "unknown kind";
    }
    if (kw_id_is_none(fact->key)) {
        return "no key";
    }
    if (kw_id_is_none(fact->ref) == row->has_ref) {
        return row->has_ref ? "no suspension named" : "a suspension named";
    }
    if (row->enabling && kw_id_is_none(fact->capsule)) {
        return "enabling without a capsule";
    }
    if (fact->actor.len == 0 || fact->actor.len > KW_FACT_ACTOR_LEN_MAX ||
        !kw_is_text(fact->actor)) {
        return "actor missing, too long or not text";
    }
    return NULL;
}

struct kw_result kw_fact_encode(const struct kw_fact *fact, struct kw_buf *out,
                                struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    const char *wrong = fault(fact);

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "fact: %s", wrong);
    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, kw_id_bytes(&fact->key));
    kw_put_u8(&w, (uint8_t)fact->kind);
    kw_put_raw(&w, kw_id_bytes(&fact->ref));
    kw_put_u64(&w, fact->time_ms);
    kw_put_raw(&w, kw_id_bytes(&fact->capsule));
    kw_put_var(&w, fact->actor);
    return kw_writer_end(&w, err);
}

struct kw_result kw_fact_decode(struct kw_bytes record, struct kw_fact *ret_fact,
                                struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_fact fact = {0};
    const char *wrong;

    KW_ENSURE(kw_bytes_equal(kw_get_raw(&r, strlen(MAGIC)), kw_bytes_str(MAGIC)), err,
              ENCODING_INVALID, "not a fact");
    kw_get_copy(&r, fact.key.bytes, KW_ID_LEN);
    fact.kind = (enum kw_fact_kind)kw_get_u8(&r);
    kw_get_copy(&r, fact.ref.bytes, KW_ID_LEN);
    fact.time_ms = kw_get_u64(&r);
    kw_get_copy(&r, fact.capsule.bytes, KW_ID_LEN);
    fact.actor = kw_get_text(&r);
    KW_TRY(kw_reader_end(&r, "fact", err));
    wrong = fault(&fact);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "fact: %s", wrong);
    *ret_fact = fact;
    return KW_OK;
}

struct kw_result kw_fact_mac_input(struct kw_bytes record, struct kw_buf *out, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAC_LABEL));
    kw_put_raw(&w, record);
    return kw_writer_end(&w, err);
}
