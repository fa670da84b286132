/* Requests as bytes: for each operation its check, its writer and its reader, side by side. */
#include "common/base/limits.h"
#include "services/cryptocore/hsm/wire.h"

/* An array of `count` elements of the request, or NULL with the reader failed. */
static void *array_get(struct kw_reader *r, struct kw_arena *arena, size_t count, size_t count_max,
                       size_t size)
{
    void *array = NULL;

    if (!r->failed && count <= count_max) {
        array = kw_arena_alloc(arena, count * size);
    }
    if (array == NULL) {
        r->failed = true;
    }
    return array;
}

static struct kw_result count_check(size_t count, size_t min, size_t max, struct kw_error *err)
{
    KW_ENSURE(count >= min && count <= max, err, ARGUMENT_INVALID, "%zu items, not %zu to %zu",
              count, min, max);
    return KW_OK;
}

/* generate */

static void generate_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    const struct kw_hsm_generate *g = &request->generate;

    kw_put_u32(w, g->kek_version);
    kw_ptk_binding_put(w, &g->station);
    kw_put_u16(w, (uint16_t)g->count);
    for (size_t i = 0; i < g->count; i++) {
        kw_put_raw(w, kw_id_bytes(&g->keys[i].key));
        kw_put_raw(w, kw_id_bytes(&g->keys[i].device));
        kw_put_raw(w, kw_id_bytes(&g->keys[i].product));
        kw_put_raw(w, kw_id_bytes(&g->keys[i].batch));
    }
}

static void generate_get(struct kw_reader *r, struct kw_arena *arena,
                         struct kw_hsm_request *request)
{
    struct kw_hsm_generate *g = &request->generate;
    struct kw_hsm_new_key *keys;

    g->kek_version = kw_get_u32(r);
    kw_ptk_binding_get(r, &g->station);
    g->count = kw_get_u16(r);
    keys = array_get(r, arena, g->count, KW_HSM_ITEMS_MAX, sizeof(*keys));
    for (size_t i = 0; i < g->count && !r->failed; i++) {
        kw_get_copy(r, keys[i].key.bytes, KW_ID_LEN);
        kw_get_copy(r, keys[i].device.bytes, KW_ID_LEN);
        kw_get_copy(r, keys[i].product.bytes, KW_ID_LEN);
        kw_get_copy(r, keys[i].batch.bytes, KW_ID_LEN);
    }
    g->keys = keys;
}

static struct kw_result generate_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    return count_check(request->generate.count, 1, KW_HSM_ITEMS_MAX, err);
}

/* facts, also as a part of derive */

static void facts_put(struct kw_writer *w, const struct kw_hsm_fact *facts, size_t count)
{
    kw_put_u16(w, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        kw_put_var(w, facts[i].content);
        kw_put_raw(w, KW_BYTES_OF(facts[i].mac));
    }
}

static const struct kw_hsm_fact *facts_get(struct kw_reader *r, struct kw_arena *arena,
                                           size_t *ret_count)
{
    size_t count = kw_get_u16(r);
    struct kw_hsm_fact *facts = array_get(r, arena, count, KW_HSM_FACTS_MAX, sizeof(*facts));

    for (size_t i = 0; i < count && !r->failed; i++) {
        facts[i].content = kw_get_var(r);
        kw_get_copy(r, facts[i].mac, sizeof(facts[i].mac));
    }
    *ret_count = count;
    return facts;
}

static void verify_facts_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_key_binding_put(w, &request->verify_facts.device);
    facts_put(w, request->verify_facts.facts, request->verify_facts.count);
}

static void verify_facts_get(struct kw_reader *r, struct kw_arena *arena,
                             struct kw_hsm_request *request)
{
    kw_key_binding_get(r, &request->verify_facts.device);
    request->verify_facts.facts = facts_get(r, arena, &request->verify_facts.count);
}

static struct kw_result verify_facts_check(const struct kw_hsm_request *request,
                                           struct kw_error *err)
{
    return count_check(request->verify_facts.count, 1, KW_HSM_FACTS_MAX, err);
}

static void mac_facts_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_put_u16(w, (uint16_t)request->mac_facts.count);
    for (size_t i = 0; i < request->mac_facts.count; i++) {
        kw_put_var(w, request->mac_facts.contents[i]);
    }
}

static void mac_facts_get(struct kw_reader *r, struct kw_arena *arena,
                          struct kw_hsm_request *request)
{
    size_t count = kw_get_u16(r);
    struct kw_bytes *contents = array_get(r, arena, count, KW_HSM_FACTS_MAX, sizeof(*contents));

    for (size_t i = 0; i < count && !r->failed; i++) {
        contents[i] = kw_get_var(r);
    }
    request->mac_facts = (struct kw_hsm_mac_facts){.contents = contents, .count = count};
}

static struct kw_result mac_facts_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    return count_check(request->mac_facts.count, 1, KW_HSM_FACTS_MAX, err);
}

/* derive */

static void derive_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    const struct kw_hsm_derive *d = &request->derive;

    kw_put_u8(w, (uint8_t)d->kind);
    kw_key_binding_put(w, &d->device);
    kw_ptk_binding_put(w, &d->transport);
    kw_put_raw(w, kw_id_bytes(&d->partner));
    kw_put_u32(w, d->epoch);
    kw_put_u16(w, d->suite);
    kw_put_raw(w, KW_BYTES_OF(d->nonce_app));
    kw_put_raw(w, KW_BYTES_OF(d->nonce_pen));
    kw_put_u32(w, d->counter);
    facts_put(w, d->facts, d->fact_count);
    kw_put_var(w, d->envelope);
}

static void derive_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_request *request)
{
    struct kw_hsm_derive *d = &request->derive;
    uint8_t kind = kw_get_u8(r);

    d->kind = kind == KW_HSM_SESSION ? KW_HSM_SESSION : KW_HSM_RELEASE;
    r->failed = r->failed || kind != (uint8_t)d->kind;
    kw_key_binding_get(r, &d->device);
    kw_ptk_binding_get(r, &d->transport);
    kw_get_copy(r, d->partner.bytes, KW_ID_LEN);
    d->epoch = kw_get_u32(r);
    d->suite = kw_get_u16(r);
    kw_get_copy(r, d->nonce_app, sizeof(d->nonce_app));
    kw_get_copy(r, d->nonce_pen, sizeof(d->nonce_pen));
    d->counter = kw_get_u32(r);
    d->facts = facts_get(r, arena, &d->fact_count);
    d->envelope = kw_get_var(r);
}

static struct kw_result derive_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    KW_TRY(count_check(request->derive.fact_count, 0, KW_HSM_FACTS_MAX, err));
    return count_check(request->derive.envelope.len, 0, KW_HSM_ENVELOPE_LEN_MAX, err);
}

/* possession */

static void possession_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_key_binding_put(w, &request->possession.device);
    kw_put_raw(w, KW_BYTES_OF(request->possession.challenge));
    kw_put_raw(w, KW_BYTES_OF(request->possession.tag));
}

static void possession_get(struct kw_reader *r, struct kw_arena *arena,
                           struct kw_hsm_request *request)
{
    struct kw_hsm_possession *p = &request->possession;

    (void)arena;
    kw_key_binding_get(r, &p->device);
    kw_get_copy(r, p->challenge, sizeof(p->challenge));
    kw_get_copy(r, p->tag, sizeof(p->tag));
}

/* transport keys */

static void ptk_create_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_put_raw(w, kw_id_bytes(&request->ptk_create.owner));
    kw_put_u32(w, request->ptk_create.version);
    kw_put_u32(w, request->ptk_create.kek_version);
    kw_put_var(w, request->ptk_create.certificate);
}

static void ptk_create_get(struct kw_reader *r, struct kw_arena *arena,
                           struct kw_hsm_request *request)
{
    struct kw_hsm_ptk_create *p = &request->ptk_create;

    (void)arena;
    kw_get_copy(r, p->owner.bytes, KW_ID_LEN);
    p->version = kw_get_u32(r);
    p->kek_version = kw_get_u32(r);
    p->certificate = kw_get_var(r);
}

static struct kw_result ptk_create_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    return count_check(request->ptk_create.certificate.len, 1, KW_CERTIFICATE_LEN_MAX, err);
}

static void ptk_confirm_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_ptk_binding_put(w, &request->ptk_confirm.transport);
    kw_put_raw(w, KW_BYTES_OF(request->ptk_confirm.nonce));
    kw_put_raw(w, KW_BYTES_OF(request->ptk_confirm.proof));
}

static void ptk_confirm_get(struct kw_reader *r, struct kw_arena *arena,
                            struct kw_hsm_request *request)
{
    struct kw_hsm_ptk_confirm *p = &request->ptk_confirm;

    (void)arena;
    kw_ptk_binding_get(r, &p->transport);
    kw_get_copy(r, p->nonce, sizeof(p->nonce));
    kw_get_copy(r, p->proof, sizeof(p->proof));
}

/* signatures */

static void issue_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    const struct kw_hsm_issue *i = &request->issue;

    kw_put_u8(w, (uint8_t)i->issuer);
    kw_put_var(w, i->issuer_certificate);
    kw_put_var(w, i->spki);
    kw_put_str(w, i->spiffe_id);
    kw_put_u64(w, i->validity.not_before_ms);
    kw_put_u64(w, i->validity.not_after_ms);
    kw_put_u32(w, i->usage);
    kw_put_u16(w, (uint16_t)i->host_count);
    for (size_t h = 0; h < i->host_count; h++) {
        kw_put_str(w, i->hosts[h]);
    }
}

/* A string of the request with its NUL, in the arena. */
static const char *text_get(struct kw_reader *r, struct kw_arena *arena)
{
    struct kw_bytes var = kw_get_var(r);
    const char *text = NULL;

    if (!r->failed && (var.len == 0 || memchr(var.data, 0, var.len) == NULL)) {
        text = kw_arena_text(arena, var.len > 0 ? (const char *)var.data : "", var.len);
    }
    if (text == NULL) {
        r->failed = true;
    }
    return text;
}

static void issue_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_request *request)
{
    struct kw_hsm_issue *i = &request->issue;
    const char **hosts;

    i->issuer = (enum kw_hsm_signer)kw_get_u8(r);
    i->issuer_certificate = kw_get_var(r);
    i->spki = kw_get_var(r);
    i->spiffe_id = text_get(r, arena);
    i->validity.not_before_ms = kw_get_u64(r);
    i->validity.not_after_ms = kw_get_u64(r);
    i->usage = kw_get_u32(r);
    i->host_count = kw_get_u16(r);
    hosts = array_get(r, arena, i->host_count, KW_LEAF_HOSTS_MAX, sizeof(*hosts));
    for (size_t h = 0; h < i->host_count && !r->failed; h++) {
        hosts[h] = text_get(r, arena);
    }
    i->hosts = hosts;
}

static struct kw_result issue_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    KW_TRY(count_check(request->issue.issuer_certificate.len, 1, KW_CERTIFICATE_LEN_MAX, err));
    KW_TRY(count_check(request->issue.spki.len, 1, KW_SPKI_LEN_MAX, err));
    KW_ENSURE(request->issue.spiffe_id != NULL, err, ARGUMENT_INVALID, "no SPIFFE id");
    return count_check(request->issue.host_count, 0, KW_LEAF_HOSTS_MAX, err);
}

static void checkpoint_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_put_var(w, request->checkpoint.content);
}

static void checkpoint_get(struct kw_reader *r, struct kw_arena *arena,
                           struct kw_hsm_request *request)
{
    (void)arena;
    request->checkpoint.content = kw_get_var(r);
}

static struct kw_result checkpoint_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    return count_check(request->checkpoint.content.len, 1, KW_HSM_ENVELOPE_LEN_MAX, err);
}

/* An operation without fields, or without lengths of its own, leaves its column empty. */
static const struct {
    void (*put)(struct kw_writer *w, const struct kw_hsm_request *request);
    void (*get)(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_request *request);
    struct kw_result (*check)(const struct kw_hsm_request *request, struct kw_error *err);
} rows[] = {
    [KW_HSM_GENERATE] = {generate_put, generate_get, generate_check},
    [KW_HSM_DERIVE] = {derive_put, derive_get, derive_check},
    [KW_HSM_VERIFY_POSSESSION] = {possession_put, possession_get, NULL},
    [KW_HSM_MAC_FACTS] = {mac_facts_put, mac_facts_get, mac_facts_check},
    [KW_HSM_VERIFY_FACTS] = {verify_facts_put, verify_facts_get, verify_facts_check},
    [KW_HSM_PTK_CREATE] = {ptk_create_put, ptk_create_get, ptk_create_check},
    [KW_HSM_PTK_CONFIRM] = {ptk_confirm_put, ptk_confirm_get, NULL},
    [KW_HSM_ISSUE_CERTIFICATE] = {issue_put, issue_get, issue_check},
    [KW_HSM_SIGN_CHECKPOINT] = {checkpoint_put, checkpoint_get, checkpoint_check},
    [KW_HSM_HEALTH] = {NULL, NULL, NULL},
};

static bool known(enum kw_hsm_op op)
{
    return op >= KW_HSM_GENERATE && op <= KW_HSM_HEALTH;
}

struct kw_result kw_hsm_request_check(const struct kw_hsm_request *request, struct kw_error *err)
{
    KW_ENSURE(known(request->op), err, ARGUMENT_INVALID, "operation %d", (int)request->op);
    return rows[request->op].check != NULL ? rows[request->op].check(request, err) : KW_OK;
}

void kw_hsm_request_put(struct kw_writer *w, const struct kw_hsm_request *request)
{
    kw_put_u8(w, (uint8_t)request->op);
    if (rows[request->op].put != NULL) {
        rows[request->op].put(w, request);
    }
}

struct kw_result kw_hsm_request_get(struct kw_reader *r, struct kw_arena *arena,
                                    struct kw_hsm_request *ret_request, struct kw_error *err)
{
    struct kw_hsm_request request = {.op = (enum kw_hsm_op)kw_get_u8(r)};

    KW_ENSURE(!r->failed && known(request.op), err, ENCODING_INVALID, "operation of a request");
    if (rows[request.op].get != NULL) {
        rows[request.op].get(r, arena, &request);
    }
    KW_ENSURE(!r->failed, err, ENCODING_INVALID, "request %s", kw_hsm_op_name(request.op));
    KW_TRY(kw_hsm_request_check(&request, err));
    *ret_request = request;
    return KW_OK;
}
