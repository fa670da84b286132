/* Authz's tables with anything in their columns: every reader of rows. What is stored wrong is refused with a reason, and
 * never counts as a fact, a member or a grant of another id.
 */
#include "common/base/limits.h"
#include "services/authz/certificate_table.h"
#include "services/authz/disabled_table.h"
#include "services/authz/grant_table.h"
#include "services/authz/invitation_table.h"
#include "services/authz/member_table.h"
#include "services/authz/officer_table.h"
#include "services/authz/quota_table.h"
#include "services/authz/request_table.h"
#include "services/authz/schema.h"
#include "services/authz/witness_table.h"
#include "tests/fuzz/store_rows.h"

#define PAGE   8
#define NOW_MS UINT64_C(1767225600000)

static void members(struct kw_tx *tx, struct kw_arena *arena)
{
    struct kw_member_query query = {.max = PAGE};
    struct kw_member_row rows[PAGE];
    struct kw_error err = {0};
    size_t count;
    bool found;

    if (kw_fuzz_accepted(kw_member_find(tx, kw_fuzz_row_id, arena, rows, &found, &err), &err)) {
        KW_FUZZ_CHECK(!found || kw_id_equal(rows[0].id, kw_fuzz_row_id));
    }
    for (int kind = KW_MEMBER_PARTNER; kind <= KW_MEMBER_STATION; kind++) {
        query.kind = (enum kw_member_kind)kind;
        if (kw_fuzz_accepted(kw_member_list(tx, &query, arena, rows, &count, &err), &err)) {
            KW_FUZZ_CHECK(count <= PAGE);
        }
    }
}

static void grants(struct kw_tx *tx, struct kw_arena *arena)
{
    const struct kw_access access = {.device = kw_fuzz_row_id,
                                     .operation = KW_GRANT_RELEASE,
                                     .purpose = "",
                                     .region = "r",
                                     .now_ms = NOW_MS};
    const struct kw_grant_query query = {.any_partner = true, .now_ms = NOW_MS, .max = PAGE};
    struct kw_grant_row rows[PAGE];
    struct kw_grant_row *tried;
    struct kw_id *devices;
    struct kw_error err = {0};
    size_t count;
    bool found;

    if (kw_fuzz_accepted(kw_grant_find(tx, kw_fuzz_row_id, arena, rows, &found, &err), &err) &&
        found) {
        KW_FUZZ_CHECK(kw_id_equal(rows[0].id, kw_fuzz_row_id));
        KW_FUZZ_CHECK(kw_grant_state(&rows[0], NOW_MS) <= KW_GRANT_REVOKED);
    }
    (void)kw_fuzz_accepted(kw_grant_devices(tx, kw_fuzz_row_id, arena, &devices, &count, &err),
                           &err);
    if (kw_fuzz_accepted(
            kw_grant_candidates(tx, kw_fuzz_row_id, &access, arena, &tried, &count, &err), &err)) {
        KW_FUZZ_CHECK(count <= KW_GRANT_CANDIDATES_MAX);
    }
    (void)kw_fuzz_accepted(kw_grant_list(tx, &query, arena, rows, &count, &err), &err);
}

static void disabled(struct kw_tx *tx)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_capsule capsule = {0};
    struct kw_error err = {0};
    uint32_t count;

    (void)kw_fuzz_accepted(kw_disabled_count(tx, kw_fuzz_row_id, &count, &err), &err);
    if (kw_fuzz_accepted(kw_disabled_collect(tx, kw_fuzz_row_id, &capsule, &list, &err), &err)) {
        struct kw_reader facts = KW_READER(capsule.disabled);
        struct kw_fact fact;

        for (unsigned i = 0; i < capsule.disabled_count; i++) {
            KW_FUZZ_MUST(kw_fact_decode(kw_get_var(&facts), &fact, NULL));
            KW_FUZZ_CHECK(!kw_fact_kind_enabling(fact.kind));
        }
    }
}

static void certificates(struct kw_tx *tx)
{
    uint8_t fingerprint[KW_SHA256_LEN] = {0};
    uint8_t page[PAGE][KW_SHA256_LEN];
    struct kw_certificate_row row;
    struct kw_error err = {0};
    size_t count;
    bool found;

    (void)kw_fuzz_accepted(kw_certificate_find(tx, fingerprint, &row, &found, &err), &err);
    (void)kw_fuzz_accepted(kw_officer_list(tx, KW_BYTES_OF(fingerprint), PAGE, page, &count, &err),
                           &err);
}

static void others(struct kw_tx *tx, struct kw_arena *arena)
{
    const struct kw_request_key key = {.caller = kw_fuzz_row_id, .request = kw_fuzz_row_id};
    const struct kw_witness beginning = {0};
    struct kw_invitation_row invitation;
    struct kw_request_row request;
    struct kw_witness witnesses[PAGE];
    struct kw_quota quotas[PAGE];
    struct kw_error err = {0};
    size_t count;
    bool found;

    (void)kw_fuzz_accepted(kw_invitation_find(tx, kw_fuzz_row_id, arena, &invitation, &found, &err),
                           &err);
    (void)kw_fuzz_accepted(kw_request_find(tx, &key, arena, &request, &found, &err), &err);
    (void)kw_fuzz_accepted(
        kw_quota_list(tx, kw_fuzz_row_id, KW_ID_NONE, quotas, PAGE, &count, &err), &err);
    (void)kw_fuzz_accepted(kw_witness_list(tx, &beginning, PAGE, witnesses, &count, &err), &err);
    (void)kw_fuzz_accepted(kw_witness_load(tx, &witnesses[0], &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_tx *tx = kw_fuzz_rows_begin(kw_authz_migrations, kw_authz_migration_count, &input);

    KW_FUZZ_CHECK(arena != NULL);
    members(tx, arena);
    grants(tx, arena);
    disabled(tx);
    certificates(tx);
    others(tx, arena);
    kw_fuzz_rows_end(tx);
    kw_arena_free(arena);
    return 0;
}
