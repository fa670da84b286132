/* What many tests begin with: members in the database, grants, questions for keys; and looking into
 * the database. */
#include "services/authz/certificate_table.h"
#include "services/authz/disabled_table.h"
#include "services/authz/register.h"
#include "tests/component/authz_fixture.h"

#include <stdlib.h>

#define MS_PER_S       1000U
#define PEEK_ARENA_MAX (64U * 1024U * 1024U)

/* --- jobs --- */

/* A job and what it is about. */
struct peek {
    struct kw_store_job job;
    const struct authz_fixture *fx;
    const struct actor *actor;
    const struct kw_member_keys *keys;
    const char *sql;
    uint8_t fill;
    size_t devices;
    size_t facts;
    int64_t number;
    bool as_text;
    struct kw_buf found;
    bool done;
    struct kw_arena *arena; /* of a write: the store's thread may not touch the fixture's */
};

static void peek_done(struct kw_store_job *job)
{
    struct peek *peek = (struct peek *)job;

    REQUIRE(kw_ok(job->result), "%s", job->error.message);
    peek->done = true;
}

/* What a write changes rows with. */
static struct kw_feed_tx feed_of(const struct peek *peek, struct kw_tx *tx)
{
    return (struct kw_feed_tx){
        .feed = &peek->fx->authz->feed, .tx = tx, .arena = peek->arena, .wall_ms = 1};
}

static void run_peek(struct authz_fixture *fx, struct peek *peek, bool write)
{
    peek->fx = fx;
    peek->job.done = peek_done;
    peek->arena = kw_arena_new(PEEK_ARENA_MAX);
    if (write) {
        MUST(kw_store_write(fx->authz->store, &peek->job, err));
    } else {
        MUST(kw_store_read(fx->authz->store, &peek->job, err));
    }
    EVENTUALLY(fx, peek->done);
    kw_arena_free(peek->arena);
}

/* --- members --- */

static struct kw_result put_certificate(struct kw_store_job *job, struct kw_tx *tx,
                                        struct kw_error *err)
{
    const struct actor *actor = ((struct peek *)job)->actor;
    const struct kw_feed_tx feed_tx = feed_of((struct peek *)job, tx);
    struct kw_certificate_row row = {
        .name = "", .role = kw_register_role(actor->role), .owner = actor->id};

    kw_copy(row.fingerprint, actor->fingerprint, sizeof(row.fingerprint));
    return kw_certificate_insert(&feed_tx, &row, err);
}

static struct kw_result put_member(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct peek *peek = (struct peek *)job;
    const struct kw_feed_tx feed_tx = feed_of(peek, tx);
    const struct kw_member_row row = {
        .id = peek->actor->id,
        .kind = peek->actor->role == KW_ROLE_PARTNER ? KW_MEMBER_PARTNER : KW_MEMBER_STATION,
        .display_name = "Acme",
        .contact = "",
        .location = "",
        .regions = "",
        .products = kw_id_bytes(&peek->fx->product),
        .epoch = 1,
        .created_ms = 1,
    };

    KW_TRY(kw_member_insert(&feed_tx, &row, err));
    KW_TRY(kw_member_raise_keys(&feed_tx, row.id, peek->keys, 2, err));
    return put_certificate(job, tx, err);
}

static struct kw_result revoke_certificate(struct kw_store_job *job, struct kw_tx *tx,
                                           struct kw_error *err)
{
    const struct peek *peek = (struct peek *)job;
    const struct kw_feed_tx feed_tx = feed_of(peek, tx);

    return kw_certificate_revoke(&feed_tx, peek->actor->fingerprint, 5, err);
}

void authz_member_put_keys(struct authz_fixture *fx, struct actor *actor,
                           const struct kw_member_keys *keys)
{
    struct peek peek = {.job.run = put_member, .actor = actor, .keys = keys};

    run_peek(fx, &peek, true);
}

void authz_member_put(struct authz_fixture *fx, struct actor *actor)
{
    const struct kw_member_keys keys = {.transport_version = 1, .confirmed_version = 1};

    authz_member_put_keys(fx, actor, &keys);
}

void authz_certificate_put(struct authz_fixture *fx, const struct actor *actor)
{
    struct peek peek = {.job.run = put_certificate, .actor = actor};

    run_peek(fx, &peek, true);
}

void authz_certificate_revoke(struct authz_fixture *fx, const struct actor *actor)
{
    struct peek peek = {.job.run = revoke_certificate, .actor = actor};

    run_peek(fx, &peek, true);
}

/* --- facts --- */

static struct kw_id id_of(uint8_t fill, uint8_t last)
{
    struct kw_id id;

    memset(id.bytes, fill, sizeof(id.bytes));
    id.bytes[KW_ID_LEN - 1] = last;
    return id;
}

static struct kw_result put_fact(const struct kw_feed_tx *feed_tx, uint8_t device, uint8_t number,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_fact fact = {
        .key = id_of(device, 0),
        .kind = KW_FACT_SUSPENDED,
        .ref = id_of(device, number),
        .time_ms = 1,
        .actor = kw_bytes_str("spiffe://test/operator/opr_aaaaaaaaaaaaaaaaaaaaaaaaaa")};

    KW_TRY(kw_fact_encode(&fact, &record, err));
    return kw_disabled_insert(feed_tx, id_of(device, device), kw_buf_bytes(&record), err);
}

static struct kw_result put_facts(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct peek *peek = (struct peek *)job;
    const struct kw_feed_tx feed_tx = feed_of(peek, tx);

    for (size_t i = 0; i < peek->devices * peek->facts; i++) {
        KW_TRY(put_fact(&feed_tx, (uint8_t)(peek->fill + i / peek->facts),
                        (uint8_t)(1 + i % peek->facts), err));
    }
    return KW_OK;
}

void authz_facts_put(struct authz_fixture *fx, uint8_t fill, size_t devices, size_t facts)
{
    struct peek peek = {.job.run = put_facts, .fill = fill, .devices = devices, .facts = facts};

    run_peek(fx, &peek, true);
}

/* --- looking --- */

/* On the store's thread, which may not touch the arena: an answer may just be coming in. */
static struct kw_result look(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct peek *peek = (struct peek *)job;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, peek->sql, &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    KW_ENSURE(row, err, INTERNAL, "no row: %s", peek->sql);
    peek->number = kw_col_i64(stmt, 0);
    return kw_buf_append(&peek->found,
                         peek->as_text ? kw_bytes_str(kw_col_text(stmt, 0)) : kw_col_blob(stmt, 0),
                         err);
}

int64_t authz_number(struct authz_fixture *fx, const char *sql)
{
    struct peek peek = {.job.run = look, .sql = sql};

    run_peek(fx, &peek, false);
    kw_buf_done(&peek.found);
    return peek.number;
}

char *authz_text_of(struct authz_fixture *fx, const char *sql)
{
    struct peek peek = {.job.run = look, .sql = sql, .as_text = true};
    char *text;

    run_peek(fx, &peek, false);
    text = kw_arena_text(fx->arena, (const char *)peek.found.data, peek.found.len);
    kw_buf_done(&peek.found);
    return text;
}

struct kw_bytes authz_blob(struct authz_fixture *fx, const char *sql)
{
    struct peek peek = {.job.run = look, .sql = sql};
    struct kw_bytes blob;

    run_peek(fx, &peek, false);
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&peek.found), &blob, err));
    kw_buf_done(&peek.found);
    return blob;
}

static struct kw_result change(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, ((struct peek *)job)->sql, &stmt, err));
    return kw_exec(stmt, NULL, err);
}

void authz_exec(struct authz_fixture *fx, const char *sql)
{
    struct peek peek = {.job.run = change, .sql = sql};

    run_peek(fx, &peek, true);
}

void authz_denials_await(struct authz_fixture *fx, int64_t count)
{
    static const char sql[] = "SELECT coalesce(sum(times), 0) FROM denials";

    EVENTUALLY(fx, authz_number(fx, sql) >= count);
    cr_assert(eq(i64, authz_number(fx, sql), count));
}

/* --- grants --- */

struct kw_id authz_device(struct authz_fixture *fx, uint8_t fill, char **ret_name)
{
    struct kw_id id;

    memset(id.bytes, fill, sizeof(id.bytes));
    *ret_name = authz_name(fx, KW_RESOURCE_DEVICE, id);
    return id;
}

void authz_grant_story(struct authz_fixture *fx, struct grant_story *story, const char *device)
{
    *story =
        (struct grant_story){.device_names = {(char *)(uintptr_t)device}, .operations = {1, 2}};
    keyward__v1__create_grant_request__init(&story->request);
    keyward__v1__grant__init(&story->grant);
    keyward__v1__device_list__init(&story->devices);
    keyward__v1__grant_quota__init(&story->quota);
    google__protobuf__duration__init(&story->window);
    google__protobuf__timestamp__init(&story->end);
    story->request.request_id = authz_request_id(fx);
    story->request.parent = fx->partner.name;
    story->request.justification = (char *)(uintptr_t) "ticket 1";
    story->request.grant = &story->grant;
    story->devices.devices = story->device_names;
    story->devices.n_devices = 1;
    story->grant.scope_case = KEYWARD__V1__GRANT__SCOPE_DEVICES;
    story->grant.devices = &story->devices;
    story->grant.operations = story->operations;
    story->grant.n_operations = 1;
    story->grant.purpose = (char *)(uintptr_t) "care";
    story->end.seconds = (int64_t)((kw_clock_wall_ms() + HOUR_MS) / MS_PER_S);
    story->grant.end_time = &story->end;
}

struct answer authz_grant_ask(struct authz_fixture *fx, const struct grant_story *story)
{
    const struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story->request.base, .caller = &fx->officer};

    return authz_ask(fx, &question);
}

char *authz_grant_make(struct authz_fixture *fx, const struct grant_story *story)
{
    struct answer answer = authz_grant_ask(fx, story);
    const Keyward__V1__CreateGrantResponse *response =
        authz_message(&answer, &keyward__v1__create_grant_response__descriptor);

    return response->grant->name;
}

char *authz_grant(struct authz_fixture *fx, const char *device)
{
    struct grant_story story;

    authz_grant_story(fx, &story, device);
    return authz_grant_make(fx, &story);
}

char *authz_grant_of_product(struct authz_fixture *fx)
{
    struct grant_story story;
    struct kw_id product;

    MUST(kw_id_random(&product, err));
    authz_grant_story(fx, &story, NULL);
    story.grant.scope_case = KEYWARD__V1__GRANT__SCOPE_PRODUCT;
    story.grant.product = authz_name(fx, KW_RESOURCE_PRODUCT, product);
    return authz_grant_make(fx, &story);
}

struct answer authz_grant_revoke(struct authz_fixture *fx, const char *name)
{
    Keyward__V1__RevokeGrantRequest request = KEYWARD__V1__REVOKE_GRANT_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REVOKE_GRANT, .body = &request.base, .caller = &fx->officer};

    request.request_id = authz_request_id(fx);
    request.name = (char *)(uintptr_t)name;
    request.justification = (char *)(uintptr_t) "over";
    return authz_ask(fx, &question);
}

struct answer authz_partner_suspend(struct authz_fixture *fx, const struct actor *partner)
{
    Keyward__V1__SuspendPartnerRequest request = KEYWARD__V1__SUSPEND_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_SUSPEND_PARTNER, .body = &request.base, .caller = &fx->officer};

    request.request_id = authz_request_id(fx);
    request.name = partner->name;
    request.justification = (char *)(uintptr_t) "breach";
    return authz_ask(fx, &question);
}

/* --- keys --- */

void authz_access_story(struct authz_fixture *fx, struct access_story *story, const char *device)
{
    *story = (struct access_story){
        .question = {.method = KW_METHOD_GET_DEVICE_ACCESS, .caller = &fx->partner}};
    keyward__v1__get_device_access_request__init(&story->request);
    story->request.selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    story->request.device = (char *)(uintptr_t)device;
    story->request.epoch = 1;
    story->request.purpose = (char *)(uintptr_t) "care";
    story->question.body = &story->request.base;
}

struct answer authz_access(struct authz_fixture *fx, const char *device)
{
    struct access_story story;

    authz_access_story(fx, &story, device);
    return authz_ask(fx, &story.question);
}
