/* Shared by the audit tests; see the header. */
#include "tests/unit/audit_test_support.h"

#include "common/base/arena.h"
#include "common/pki/build.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define ARENA_LEN (8U * 1024U * 1024U)

static struct kw_arena *arena; /* reachable to the end: vectors live as long as the process */

const json_t *vectors(const char *name)
{
    static json_t *all;
    const json_t *member;

    if (all == NULL) {
        all = json_load_file(KW_SOURCE_DIR "/tests/vectors/formats.json", 0, NULL);
        cr_assert_not_null(all);
    }
    member = json_object_get(all, name);
    cr_assert_not_null(member, "%s", name);
    return member;
}

struct kw_bytes vector_string(const json_t *json)
{
    const char *hex = json_string_value(json);
    size_t len;
    uint8_t *bytes;

    cr_assert_not_null(hex);
    if (arena == NULL) {
        arena = kw_arena_new(ARENA_LEN);
        cr_assert_not_null(arena);
    }
    len = strlen(hex) / 2;
    bytes = kw_arena_alloc(arena, len + 1);
    cr_assert_not_null(bytes);
    cr_assert(kw_ok(kw_unhex(hex, bytes, len, NULL)));
    return KW_BYTES(bytes, len);
}

struct kw_bytes vector_bytes(const json_t *object, const char *name)
{
    return vector_string(json_object_get(object, name));
}

struct kw_id vector_id(const json_t *object, const char *name)
{
    struct kw_id id;

    cr_assert(kw_ok(kw_id_from_bytes(vector_bytes(object, name), &id, NULL)));
    return id;
}

struct kw_hash vector_hash(const json_t *object, const char *name)
{
    struct kw_bytes bytes = vector_bytes(object, name);
    struct kw_hash hash;

    cr_assert_eq(bytes.len, sizeof(hash.bytes));
    kw_copy(hash.bytes, bytes.data, sizeof(hash.bytes));
    return hash;
}

uint64_t vector_number(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);

    cr_assert_not_null(number, "%s", name);
    cr_assert_eq(json_typeof(number), JSON_INTEGER, "%s", name);
    return (uint64_t)json_integer_value(number);
}

struct kw_bytes vector_record(const char *list, size_t index)
{
    return vector_bytes(json_array_get(vectors(list), index), "record");
}

static const struct kw_validity validity = {VECTOR_TIME - 86400000, VECTOR_TIME + 86400000};

static void make_ca(struct world *world)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    struct kw_ca_plan plan = {.subject = &subject, .name = "services CA", .validity = validity};

    cr_assert(kw_ok(kw_private_key_generate(&world->ca_key, KW_CURVE_P384, NULL)));
    cr_assert(kw_ok(kw_private_key_public(&world->ca_key, &subject, NULL)));
    cr_assert(kw_ok(kw_certificate_issue_root(&plan, &world->ca_key, &world->ca, NULL)));
    cr_assert(kw_ok(kw_certificate_to_pem(&world->ca, &pem, NULL)));
    cr_assert(kw_ok(kw_trust_from_pem(&world->trust, kw_buf_bytes(&pem), NULL)));
}

void world_leaf(const struct world *world, const char *cell, const char *name, enum kw_curve curve,
                struct kw_private_key *ret_key, struct kw_buf *ret_der)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    struct kw_spiffe identity;
    struct kw_issuer issuer = {.certificate = &world->ca, .key = &world->ca_key};
    struct kw_leaf_plan plan = {.subject = &subject,
                                .identity = &identity,
                                .validity = validity,
                                .usage = KW_USAGE_CLIENT | KW_USAGE_SERVER};

    cr_assert(kw_ok(kw_spiffe_service("keyward.test", "eu-1", cell, name, &identity, NULL)));
    cr_assert(kw_ok(kw_private_key_generate(ret_key, curve, NULL)));
    cr_assert(kw_ok(kw_private_key_public(ret_key, &subject, NULL)));
    cr_assert(kw_ok(kw_certificate_issue(&plan, &issuer, &certificate, NULL)));
    cr_assert(kw_ok(kw_certificate_to_der(&certificate, ret_der, NULL)));
}

void world_init(struct world *world)
{
    *world = (struct world){0};
    make_ca(world);
    world_leaf(world, "a", "authz", KW_CURVE_P256, &world->key, &world->certificate);
    cr_assert(kw_ok(kw_sha256(kw_buf_bytes(&world->certificate), world->fingerprint, NULL)));
    cr_assert(
        kw_ok(kw_spiffe_service("keyward.test", "eu-1", "a", "authz", &world->identity, NULL)));
}

void world_done(struct world *world)
{
    kw_buf_done(&world->certificate);
    kw_private_key_done(&world->key);
    kw_trust_done(&world->trust);
    kw_certificate_done(&world->ca);
    kw_private_key_done(&world->ca_key);
}

struct kw_capsule world_capsule(uint8_t number)
{
    return (struct kw_capsule){
        .id = {{number, 1}},
        .region = kw_bytes_str("eu-1"),
        .cell = kw_bytes_str("a"),
        .caller = kw_bytes_str("spiffe://keyward.test/partner/prt_aebagbafaydqqcikbmga2dqpca"),
        .method = 50,
        .scope = KW_SCOPE_BODY,
        .operation = KW_OPERATION_RELEASE,
        .issued_ms = VECTOR_TIME,
        .not_after_ms = VECTOR_TIME + KW_CAPSULE_LIFETIME_MS,
    };
}

void world_seal(const struct world *world, size_t count, struct kw_buf *ret_sealed)
{
    struct kw_buf records[KW_SEAL_BATCH_MAX] = {{0}};
    struct kw_bytes capsules[KW_SEAL_BATCH_MAX];

    for (size_t i = 0; i < count; i++) {
        struct kw_capsule capsule = world_capsule((uint8_t)(i + 1));

        cr_assert(kw_ok(kw_capsule_encode(&capsule, &records[i], NULL)));
        capsules[i] = kw_buf_bytes(&records[i]);
    }
    cr_assert(kw_ok(
        kw_capsules_seal(&world->key, world->fingerprint, capsules, count, ret_sealed, NULL)));
    for (size_t i = 0; i < count; i++) {
        kw_buf_done(&records[i]);
    }
}
