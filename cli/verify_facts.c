/* Facts: where they came from, whether one is missing, and whether keys were used in spite of them.
 * The MAC of an enabling fact is the HSM's to check; that it was made under a capsule, its receipt
 * proves. */
#include "cli/verify_internal.h"

#include "common/crypto/cmac.h"
#include "common/sync/order.h"

/* A stop takes effect while uses are under way: what was issued so shortly after is not held
 * against anybody. */
#define UNDER_WAY_MS 2000U

/* Record, and behind it the MAC if it is an enabling one. */
static bool fact_read(struct kw_bytes encoded, struct kw_fact *ret_fact,
                      struct kw_bytes *ret_record)
{
    struct kw_bytes bare = encoded;

    if (kw_ok(kw_fact_decode(bare, ret_fact, NULL))) {
        *ret_record = bare;
        return !kw_fact_kind_enabling(ret_fact->kind);
    }
    if (encoded.len <= KW_CMAC_LEN) {
        return false;
    }
    bare.len -= KW_CMAC_LEN;
    *ret_record = bare;
    return kw_ok(kw_fact_decode(bare, ret_fact, NULL)) && kw_fact_kind_enabling(ret_fact->kind);
}

struct kw_result kw_verify_fact(struct kw_verify *v, struct kw_bytes encoded, struct kw_error *err)
{
    struct kw_verify_fact one = {0};
    struct kw_bytes record;

    if (!fact_read(encoded, &one.fact, &record)) {
        return kw_verify_found(v, err, KW_FINDING_FACT_ALTERED, "a fact that cannot be read");
    }
    one.key = one.fact.key;
    one.fact.actor = KW_BYTES_NONE;
    KW_TRY(kw_sha256(record, one.hash.bytes, err));
    return kw_list_add(&v->facts, &one, err);
}

static int by_key_and_content(const void *a, const void *b)
{
    const struct kw_verify_fact *one = a;
    const struct kw_verify_fact *other = b;
    int order = kw_verify_by_id(one, other);

    return order != 0
               ? order
               : kw_bytes_order(KW_BYTES_OF(one->hash.bytes), KW_BYTES_OF(other->hash.bytes));
}

/* Of each fact one: every cell's export has it. */
static void facts_sort(struct kw_verify *v)
{
    struct kw_verify_fact *facts = (struct kw_verify_fact *)v->facts.items;
    size_t kept = 0;

    kw_list_sort(&v->facts, by_key_and_content);
    for (size_t i = 0; i < v->facts.count; i++) {
        if (kept == 0 || by_key_and_content(&facts[kept - 1], &facts[i]) != 0) {
            facts[kept++] = facts[i];
        }
    }
    v->facts.count = kept;
}

/* The facts of a key, in the sorted list: the first, and how many. */
static const struct kw_verify_fact *facts_of(const struct kw_verify *v, struct kw_id key,
                                             size_t *ret_count)
{
    const struct kw_verify_fact wanted = {.key = key};
    const struct kw_verify_fact *all = (const struct kw_verify_fact *)v->facts.items;
    const struct kw_verify_fact *first = kw_list_find(&v->facts, &wanted, kw_verify_by_id);
    const struct kw_verify_fact *last = first;

    *ret_count = 0;
    if (first == NULL) {
        return NULL;
    }
    while (first > all && kw_verify_by_id(first - 1, first) == 0) {
        first--;
    }
    while (last + 1 < all + v->facts.count && kw_verify_by_id(last + 1, first) == 0) {
        last++;
    }
    *ret_count = (size_t)(last - first) + 1;
    return first;
}

static uint64_t newest_receipt_ms(const struct kw_verify *v)
{
    uint64_t newest = 0;

    for (size_t i = 0; i < v->chains.count; i++) {
        const struct kw_verify_chain *chain = kw_list_at(&v->chains, i);

        newest = chain->newest_ms > newest ? chain->newest_ms : newest;
    }
    return newest;
}

/* Facts are read after receipts: the newest may have receipts that came after ours were read. */
static struct kw_result origin_judge(struct kw_verify *v, const struct kw_verify_fact *one,
                                     uint64_t newest_ms, struct kw_error *err)
{
    char name[KW_ID_TEXT_SIZE];

    if (!kw_fact_kind_enabling(one->fact.kind) || one->fact.time_ms > newest_ms ||
        kw_list_find(&v->capsules, &one->fact.capsule, kw_verify_by_id) != NULL) {
        return KW_OK;
    }
    return kw_verify_found(v, err, KW_FINDING_FACT_UNBACKED, "%s %s: no receipt of its capsule",
                           kw_id_text(KW_ID_KEY, one->key, name),
                           kw_fact_kind_name(one->fact.kind));
}

static struct kw_result named_judge(struct kw_verify *v, const struct kw_verify_named *named,
                                    struct kw_error *err)
{
    size_t count;
    const struct kw_verify_fact *facts = facts_of(v, named->key, &count);
    char name[KW_ID_TEXT_SIZE];

    if (named->time_ms < v->span.start_ms ||
        (v->span.end_ms != 0 && named->time_ms >= v->span.end_ms)) {
        return KW_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (kw_bytes_equal(KW_BYTES_OF(facts[i].hash.bytes), KW_BYTES_OF(named->hash.bytes))) {
            return KW_OK;
        }
    }
    return kw_verify_found(v, err, KW_FINDING_FACT_MISSING,
                           "%s: authz knew a fact that is not here",
                           kw_id_text(KW_ID_KEY, named->key, name));
}

/* Does it count against a use: stopped well before, or started again until then? */
static bool counts(const struct kw_fact *fact, const struct kw_verify_use *use)
{
    return fact->kind == KW_FACT_LIFTED ? fact->time_ms <= use->time_ms + UNDER_WAY_MS
                                        : fact->time_ms + UNDER_WAY_MS < use->issued_ms;
}

static struct kw_result use_judge(struct kw_verify *v, const struct kw_verify_use *use,
                                  struct kw_error *err)
{
    struct kw_key_state state = {.confirmed = true, .is_protected = true, .activated = true};
    size_t count;
    const struct kw_verify_fact *facts = facts_of(v, use->key, &count);
    char name[KW_ID_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        if (counts(&facts[i].fact, use)) {
            KW_TRY(kw_state_add(&state, &facts[i].fact, err));
        }
    }
    return kw_state_allows(&state, use->operation, KW_ACTOR_PARTNER, NULL)
               ? KW_OK
               : kw_verify_found(v, err, KW_FINDING_KEY_USED_WHEN_STOPPED, "%s",
                                 kw_id_text(KW_ID_RECEIPT, use->receipt, name));
}

struct kw_result kw_verify_facts_end(struct kw_verify *v, struct kw_error *err)
{
    uint64_t newest_ms = newest_receipt_ms(v);

    facts_sort(v);
    kw_list_sort(&v->capsules, kw_verify_by_id);
    for (size_t i = 0; i < v->facts.count; i++) {
        KW_TRY(origin_judge(v, kw_list_at(&v->facts, i), newest_ms, err));
    }
    for (size_t i = 0; i < v->named.count; i++) {
        KW_TRY(named_judge(v, kw_list_at(&v->named, i), err));
    }
    for (size_t i = 0; i < v->uses.count; i++) {
        KW_TRY(use_judge(v, kw_list_at(&v->uses, i), err));
    }
    return KW_OK;
}
