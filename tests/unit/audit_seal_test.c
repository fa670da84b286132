/* Trees, seals, what a verifier remembers, the checks of a capsule, and the replay window. */
#include "common/base/clock.h"
#include "tests/unit/audit_test_support.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* ---- trees ---- */

static struct kw_merkle tree_of(size_t leaves)
{
    const json_t *data = json_object_get(vectors("merkle"), "leaves");
    struct kw_bytes pieces[KW_SEAL_BATCH_MAX];
    struct kw_merkle tree;

    for (size_t i = 0; i < leaves; i++) {
        pieces[i] = vector_string(json_array_get(data, i));
    }
    cr_assert(kw_ok(kw_merkle_build(&tree, pieces, leaves, NULL)));
    return tree;
}

Test(merkle, roots_are_those_of_the_rfcs_recursion)
{
    const json_t *roots = json_object_get(vectors("merkle"), "roots");

    for (size_t n = 1; n <= json_array_size(roots); n++) {
        struct kw_merkle tree = tree_of(n);
        struct kw_bytes expected = vector_string(json_array_get(roots, n - 1));

        cr_assert(kw_bytes_equal(KW_BYTES_OF(kw_merkle_root(&tree)->bytes), expected), "%zu", n);
    }
}

Test(merkle, paths_are_those_of_the_rfcs_recursion)
{
    const json_t *paths = json_object_get(vectors("merkle"), "paths_of_7");
    struct kw_merkle tree = tree_of(7);

    for (uint32_t i = 0; i < 7; i++) {
        const json_t *expected = json_array_get(paths, i);
        struct kw_merkle_path path;

        kw_merkle_path(&tree, i, &path);
        cr_assert_eq(path.length, json_array_size(expected));
        for (size_t k = 0; k < path.length; k++) {
            cr_assert(kw_bytes_equal(KW_BYTES_OF(path.siblings[k].bytes),
                                     vector_string(json_array_get(expected, k))));
        }
    }
}

Test(merkle, every_leaf_of_every_tree_climbs_to_its_root_and_no_other_does)
{
    for (size_t n = 1; n <= 33; n++) {
        struct kw_merkle tree = tree_of(n);

        for (uint32_t i = 0; i < n; i++) {
            struct kw_merkle_path path;
            struct kw_hash root;

            kw_merkle_path(&tree, i, &path);
            cr_assert(kw_ok(kw_merkle_climb(&tree.nodes[i], &path, &root, NULL)));
            cr_assert_arr_eq(root.bytes, kw_merkle_root(&tree)->bytes, KW_SHA256_LEN);
            cr_assert(kw_ok(kw_merkle_climb(&tree.nodes[(i + 1) % n], &path, &root, NULL)));
            cr_assert_eq(n == 1,
                         memcmp(root.bytes, kw_merkle_root(&tree)->bytes, KW_SHA256_LEN) == 0);
        }
    }
}

Test(merkle, a_path_of_another_length_or_place_is_refused)
{
    struct kw_merkle tree = tree_of(7);
    struct kw_merkle_path path;
    struct kw_hash root;

    kw_merkle_path(&tree, 3, &path);
    path.length++;
    cr_assert_eq(kw_merkle_climb(&tree.nodes[3], &path, &root, NULL).reason, KW_E_ENCODING_INVALID);
    path.length -= 2;
    cr_assert_eq(kw_merkle_climb(&tree.nodes[3], &path, &root, NULL).reason, KW_E_ENCODING_INVALID);
    path.length++;
    path.leaf_index = 7;
    cr_assert_eq(kw_merkle_climb(&tree.nodes[3], &path, &root, NULL).reason, KW_E_ENCODING_INVALID);
    path.leaf_count = KW_SEAL_BATCH_MAX + 1;
    cr_assert_eq(kw_merkle_climb(&tree.nodes[3], &path, &root, NULL).reason, KW_E_ENCODING_INVALID);
}

Test(merkle, no_leaves_and_too_many_are_refused)
{
    static struct kw_bytes data[KW_SEAL_BATCH_MAX + 1];
    struct kw_merkle tree;

    cr_assert_eq(kw_merkle_build(&tree, data, 0, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(kw_merkle_build(&tree, data, KW_SEAL_BATCH_MAX + 1, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
    cr_assert(kw_ok(kw_merkle_build(&tree, data, KW_SEAL_BATCH_MAX, NULL)));
}

/* ---- seals ---- */

static struct world world;
static struct kw_seal_verifier *verifier;

static void set_up(void)
{
    world_init(&world);
    cr_assert(kw_ok(kw_seal_verifier_new(&world.trust, &world.identity, &verifier, NULL)));
}

static void tear_down(void)
{
    kw_seal_verifier_free(verifier);
    world_done(&world);
}

TestSuite(seal, .init = set_up, .fini = tear_down);

static enum kw_reason verify_with(struct kw_bytes sealed, struct kw_bytes certificate, uint64_t at)
{
    struct kw_bytes capsule;

    return kw_seal_verify(verifier, sealed, certificate, at, &capsule, NULL).reason;
}

static enum kw_reason verify(const struct kw_buf *sealed)
{
    return verify_with(kw_buf_bytes(sealed), kw_buf_bytes(&world.certificate), VECTOR_TIME);
}

static void free_all(struct kw_buf *buffers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kw_buf_done(&buffers[i]);
    }
}

Test(seal, what_python_sealed_verifies)
{
    KW_SCOPED(kw_trust_done) struct kw_trust trust = {0};
    const json_t *records = json_object_get(vectors("sealed"), "records");
    struct kw_bytes certificate = vector_bytes(vectors("certificates"), "authz");

    cr_assert(kw_ok(kw_trust_from_pem(&trust, vector_string(vectors("services_ca_pem")), NULL)));
    kw_seal_verifier_trust(verifier, &trust);
    for (size_t i = 0; i < json_array_size(records); i++) {
        struct kw_bytes capsule;

        cr_assert(kw_ok(kw_seal_verify(verifier, vector_string(json_array_get(records, i)),
                                       certificate, VECTOR_TIME, &capsule, NULL)));
        cr_assert(kw_bytes_equal(capsule, vector_record("capsules", i)));
    }
    kw_seal_verifier_trust(verifier, &world.trust);
}

Test(seal, batches_of_1_to_33_verify_with_one_signature_check_each)
{
    for (size_t n = 1; n <= 33; n++) {
        struct kw_buf sealed[33] = {{0}};

        world_seal(&world, n, sealed);
        for (size_t i = 0; i < n; i++) {
            cr_assert_eq(verify(&sealed[i]), KW_E_NONE, "%zu of %zu", i, n);
        }
        cr_assert_eq(kw_seal_verifier_counts(verifier).signatures_checked, n);
        free_all(sealed, n);
    }
    cr_assert_eq(kw_seal_verifier_counts(verifier).certificates_checked, 1);
}

/* The verifier has seen the sealed capsule before, so that what it remembers must not help a
 * forger. */
Test(seal, no_byte_of_a_sealed_capsule_can_change)
{
    struct kw_buf sealed[5] = {{0}};

    world_seal(&world, 5, sealed);
    cr_assert_eq(verify(&sealed[1]), KW_E_NONE);
    for (size_t i = 0; i < sealed[1].len * 2; i++) {
        uint8_t change = i % 2 == 0 ? 0x01 : 0x80;

        sealed[1].data[i / 2] ^= change;
        cr_assert_eq(verify(&sealed[1]), KW_E_CAPSULE_INVALID, "byte %zu", i / 2);
        sealed[1].data[i / 2] ^= change;
    }
    cr_assert_eq(verify(&sealed[1]), KW_E_NONE);
    free_all(sealed, 5);
}

Test(seal, a_longer_path_than_any_tree_has_is_refused)
{
    struct kw_buf sealed[1] = {{0}};
    struct kw_sealed parts;

    world_seal(&world, 1, sealed);
    cr_assert(kw_ok(kw_sealed_decode(kw_buf_bytes(&sealed[0]), &parts, NULL)));
    sealed[0].data[4 + 2 + parts.capsule.len + 8] = KW_MERKLE_PATH_MAX + 1;
    cr_assert_eq(kw_sealed_decode(kw_buf_bytes(&sealed[0]), &parts, NULL).reason,
                 KW_E_ENCODING_INVALID);
    free_all(sealed, 1);
}

/* Seals one capsule as the service `name` of `cell` would and verifies it here. */
static enum kw_reason verify_sealed_by(const char *cell, const char *name)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf certificate = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_bytes capsule = vector_record("capsules", 0);

    world_leaf(&world, cell, name, KW_CURVE_P256, &key, &certificate);
    cr_assert(kw_ok(kw_sha256(kw_buf_bytes(&certificate), fingerprint, NULL)));
    cr_assert(kw_ok(kw_capsules_seal(&key, fingerprint, &capsule, 1, &sealed, NULL)));
    return verify_with(kw_buf_bytes(&sealed), kw_buf_bytes(&certificate), VECTOR_TIME);
}

Test(seal, only_the_own_cells_authz_seals)
{
    cr_assert_eq(verify_sealed_by("a", "authz"), KW_E_NONE);
    cr_assert_eq(verify_sealed_by("b", "authz"), KW_E_CAPSULE_INVALID);
    cr_assert_eq(verify_sealed_by("a", "gateway"), KW_E_CAPSULE_INVALID);
}

Test(seal, a_signer_of_another_ca_is_refused)
{
    struct world stranger;
    struct kw_buf sealed[1] = {{0}};

    world_init(&stranger);
    world_seal(&stranger, 1, sealed);
    cr_assert_eq(
        verify_with(kw_buf_bytes(&sealed[0]), kw_buf_bytes(&stranger.certificate), VECTOR_TIME),
        KW_E_CAPSULE_INVALID);
    cr_assert_eq(verify(&sealed[0]), KW_E_CAPSULE_INVALID);
    free_all(sealed, 1);
    world_done(&stranger);
}

Test(seal, a_remembered_certificate_is_refused_when_it_has_ended)
{
    struct kw_buf sealed[1] = {{0}};
    struct kw_bytes certificate = kw_buf_bytes(&world.certificate);

    world_seal(&world, 1, sealed);
    cr_assert_eq(verify(&sealed[0]), KW_E_NONE);
    cr_assert_eq(verify_with(kw_buf_bytes(&sealed[0]), certificate, VECTOR_TIME + 2 * 86400000),
                 KW_E_CAPSULE_INVALID);
    cr_assert_eq(verify_with(kw_buf_bytes(&sealed[0]), certificate, VECTOR_TIME - 2 * 86400000),
                 KW_E_CAPSULE_INVALID);
    free_all(sealed, 1);
}

Test(seal, another_bundle_makes_it_forget)
{
    struct world stranger;
    struct kw_buf sealed[1] = {{0}};

    world_init(&stranger);
    world_seal(&world, 1, sealed);
    cr_assert_eq(verify(&sealed[0]), KW_E_NONE);
    kw_seal_verifier_trust(verifier, &stranger.trust);
    cr_assert_eq(verify(&sealed[0]), KW_E_CAPSULE_INVALID);
    kw_seal_verifier_trust(verifier, &world.trust);
    cr_assert_eq(verify(&sealed[0]), KW_E_NONE);
    cr_assert_eq(kw_seal_verifier_counts(verifier).signatures_checked, 2);
    free_all(sealed, 1);
    world_done(&stranger);
}

Test(seal, what_was_used_least_recently_makes_room)
{
    enum {
        MORE = KW_SEAL_ROOTS_MAX + 8
    };
    struct kw_buf sealed[MORE] = {{0}};

    for (size_t i = 0; i < MORE; i++) {
        world_seal(&world, 1, &sealed[i]);
        cr_assert_eq(verify(&sealed[i]), KW_E_NONE);
        cr_assert_eq(verify(&sealed[0]), KW_E_NONE);
    }
    cr_assert_eq(kw_seal_verifier_counts(verifier).signatures_checked, MORE);
    cr_assert_eq(verify(&sealed[1]), KW_E_NONE);
    cr_assert_eq(kw_seal_verifier_counts(verifier).signatures_checked, MORE + 1);
    free_all(sealed, MORE);
}

Test(seal, more_signers_than_are_remembered_still_verify)
{
    for (unsigned i = 0; i < KW_SEAL_SIGNERS_MAX + 2; i++) {
        cr_assert_eq(verify_sealed_by("a", "authz"), KW_E_NONE);
    }
    cr_assert_eq(kw_seal_verifier_counts(verifier).certificates_checked, KW_SEAL_SIGNERS_MAX + 2);
}

Test(seal, capsules_are_not_sealed_on_another_curve)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    struct kw_bytes capsule = vector_record("capsules", 0);

    cr_assert(kw_ok(kw_private_key_generate(&key, KW_CURVE_P384, NULL)));
    cr_assert_eq(kw_capsules_seal(&key, world.fingerprint, &capsule, 1, &sealed, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
}

Test(seal, freeing_nothing_is_allowed)
{
    kw_seal_verifier_free(NULL);
    kw_replay_free(NULL);
}

/* ---- checks ---- */

static const uint8_t zero_hash[KW_SHA256_LEN];

static struct kw_capsule_expected expectation(void)
{
    return (struct kw_capsule_expected){
        .region = kw_bytes_str("eu-1"),
        .cell = kw_bytes_str("a"),
        .method = 50,
        .operations =
            KW_OPERATION_BIT(KW_OPERATION_RELEASE) | KW_OPERATION_BIT(KW_OPERATION_RELEASE_PAST),
        .body_hash = zero_hash,
        .arrival = {.wall_ms = VECTOR_TIME + 1000, .mono_ns = 5000000000},
        .mono_ns = 5000000000,
    };
}

Test(capsule_check, each_thing_that_does_not_fit_is_refused)
{
    static const uint8_t other_hash[KW_SHA256_LEN] = {1};
    struct kw_capsule capsule = world_capsule(1);
    struct kw_capsule_expected wrong[6];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        wrong[i] = expectation();
    }
    cr_assert(kw_ok(kw_capsule_check(&capsule, &wrong[0], NULL)));
    wrong[0].region = kw_bytes_str("eu-2");
    wrong[1].cell = kw_bytes_str("b");
    wrong[2].method = 51;
    wrong[3].operations = KW_OPERATION_BIT(KW_OPERATION_DERIVE_SESSION);
    wrong[4].body_hash = other_hash;
    wrong[5].operations = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(kw_capsule_check(&capsule, &wrong[i], NULL).reason, KW_E_CAPSULE_INVALID,
                     "%zu", i);
    }
}

static enum kw_reason check_at(uint64_t wall_ms, uint64_t waited_ms)
{
    struct kw_capsule capsule = world_capsule(1);
    struct kw_capsule_expected expected = expectation();

    expected.arrival.wall_ms = wall_ms;
    expected.mono_ns = expected.arrival.mono_ns + waited_ms * 1000000;
    return kw_capsule_check(&capsule, &expected, NULL).reason;
}

Test(capsule_check, it_is_fresh_from_issue_to_end_and_a_second_around)
{
    const uint64_t skew = KW_CAPSULE_CLOCK_SKEW_MS;
    const uint64_t end = VECTOR_TIME + KW_CAPSULE_LIFETIME_MS;

    cr_assert_eq(check_at(VECTOR_TIME - skew, 0), KW_E_NONE);
    cr_assert_eq(check_at(VECTOR_TIME - skew - 1, 0), KW_E_CAPSULE_EXPIRED);
    cr_assert_eq(check_at(end + skew, 0), KW_E_NONE);
    cr_assert_eq(check_at(end + skew + 1, 0), KW_E_CAPSULE_EXPIRED);
}

Test(capsule_check, waiting_counts_on_the_monotonic_clock)
{
    cr_assert_eq(check_at(VECTOR_TIME, KW_CAPSULE_LIFETIME_MS + KW_CAPSULE_CLOCK_SKEW_MS),
                 KW_E_NONE);
    cr_assert_eq(check_at(VECTOR_TIME, KW_CAPSULE_LIFETIME_MS + KW_CAPSULE_CLOCK_SKEW_MS + 1),
                 KW_E_CAPSULE_EXPIRED);
}

Test(capsule_check, a_longer_life_than_allowed_is_refused)
{
    struct kw_capsule capsule = world_capsule(1);
    struct kw_capsule_expected expected = expectation();

    capsule.not_after_ms++;
    cr_assert_eq(kw_capsule_check(&capsule, &expected, NULL).reason, KW_E_CAPSULE_INVALID);
}

static uint64_t test_mono(void *context)
{
    (void)context;
    return 7000000;
}

static uint64_t test_wall(void *context)
{
    (void)context;
    return VECTOR_TIME;
}

Test(capsule_check, an_arrival_is_taken_from_both_clocks)
{
    static const struct kw_clock clock = {test_mono, test_wall, NULL};
    struct kw_arrival arrival;

    kw_clock_replace(&clock);
    arrival = kw_arrival_now();
    kw_clock_replace(NULL);
    cr_assert_eq(kw_arrival_wall_ms(&arrival, 9000000), VECTOR_TIME + 2);
    cr_assert_eq(kw_arrival_wall_ms(&arrival, 0), VECTOR_TIME);
}

/* ---- the gate ---- */

static enum kw_reason admit(struct kw_replay *replay, const struct kw_buf *sealed,
                            const struct kw_capsule_expected *expected)
{
    struct kw_capsule_gate gate = {.seals = verifier, .replay = replay};
    struct kw_capsule capsule;

    return kw_capsule_admit(&gate, kw_buf_bytes(sealed), kw_buf_bytes(&world.certificate), expected,
                            &capsule, NULL)
        .reason;
}

Test(seal, a_capsule_is_admitted_once)
{
    struct kw_capsule_expected expected = expectation();
    struct kw_replay *replay = NULL;
    struct kw_buf sealed[2] = {{0}};

    world_seal(&world, 2, sealed);
    cr_assert(kw_ok(kw_replay_new(16, &replay, NULL)));
    cr_assert_eq(admit(replay, &sealed[0], &expected), KW_E_NONE);
    cr_assert_eq(admit(replay, &sealed[0], &expected), KW_E_CAPSULE_REPLAYED);
    cr_assert_eq(admit(replay, &sealed[1], &expected), KW_E_NONE);
    cr_assert_eq(kw_replay_count(replay), 2);
    kw_replay_free(replay);
    free_all(sealed, 2);
}

Test(seal, a_capsule_that_does_not_fit_is_not_spent)
{
    struct kw_capsule_expected expected = expectation();
    struct kw_capsule_expected other = expectation();
    struct kw_replay *replay = NULL;
    struct kw_buf sealed[1] = {{0}};

    other.method = 51;
    world_seal(&world, 1, sealed);
    cr_assert(kw_ok(kw_replay_new(16, &replay, NULL)));
    cr_assert_eq(admit(replay, &sealed[0], &other), KW_E_CAPSULE_INVALID);
    other = expected;
    other.arrival.wall_ms += 60000;
    cr_assert_eq(admit(replay, &sealed[0], &other), KW_E_CAPSULE_EXPIRED);
    cr_assert_eq(admit(replay, &sealed[0], &expected), KW_E_NONE);
    kw_replay_free(replay);
    free_all(sealed, 1);
}

Test(seal, sealed_bytes_that_are_no_capsule_are_refused)
{
    struct kw_capsule_expected expected = expectation();
    struct kw_replay *replay = NULL;
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    struct kw_bytes nonsense = kw_bytes_str("nonsense");

    cr_assert(kw_ok(kw_capsules_seal(&world.key, world.fingerprint, &nonsense, 1, &sealed, NULL)));
    cr_assert(kw_ok(kw_replay_new(1, &replay, NULL)));
    cr_assert_eq(admit(replay, &sealed, &expected), KW_E_CAPSULE_INVALID);
    kw_replay_free(replay);
}

/* ---- the replay window ---- */

static struct kw_replay *replay;

static void set_up_replay(void)
{
    cr_assert(kw_ok(kw_replay_new(100, &replay, NULL)));
}

static void tear_down_replay(void)
{
    kw_replay_free(replay);
}

TestSuite(replay, .init = set_up_replay, .fini = tear_down_replay);

static enum kw_reason take(unsigned number, uint64_t expires_ms, uint64_t now_ms)
{
    struct kw_id id = {{(uint8_t)number, (uint8_t)(number >> 8)}};

    return kw_replay_take(replay, id, expires_ms, now_ms, NULL).reason;
}

Test(replay, an_id_is_taken_once_until_its_end)
{
    cr_assert_eq(take(1, 1000, 500), KW_E_NONE);
    cr_assert_eq(take(1, 1000, 500), KW_E_CAPSULE_REPLAYED);
    cr_assert_eq(take(1, 1000, 1000), KW_E_CAPSULE_REPLAYED);
    cr_assert_eq(take(1, 1000, 1001), KW_E_CAPSULE_EXPIRED);
}

Test(replay, a_full_window_refuses_until_something_ends)
{
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(take(i, 1000 + i, 500), KW_E_NONE);
    }
    cr_assert_eq(take(100, 2000, 500), KW_E_LIMIT_REACHED);
    cr_assert_eq(take(5, 1005, 500), KW_E_CAPSULE_REPLAYED);
    cr_assert_eq(take(100, 2000, 1001), KW_E_NONE);
    cr_assert_eq(kw_replay_count(replay), 100);
}

Test(replay, a_clock_set_back_brings_nothing_back)
{
    cr_assert_eq(take(1, 1000, 500), KW_E_NONE);
    cr_assert_eq(take(2, 9000, 5000), KW_E_NONE);
    cr_assert_eq(kw_replay_count(replay), 1);
    cr_assert_eq(take(1, 1000, 500), KW_E_CAPSULE_EXPIRED);
    cr_assert_eq(take(3, 1001, 500), KW_E_NONE);
}

/* Many rounds through the ring, with lifetimes that do not end in the order they began, against a
 * plain list. */
Test(replay, it_agrees_with_a_list_over_many_rounds)
{
    enum {
        IDS = 3000
    };
    static uint64_t ends[IDS];
    uint64_t now = 1000;

    for (unsigned i = 0; i < IDS; i++) {
        unsigned earlier = i < 40 ? 0 : i - 40 + i % 40;

        ends[i] = now + 100 + i * 7 % 60;
        cr_assert_eq(take(i, ends[i], now), KW_E_NONE, "%u", i);
        cr_assert_eq(take(earlier, ends[earlier], now),
                     ends[earlier] >= now ? KW_E_CAPSULE_REPLAYED : KW_E_CAPSULE_EXPIRED, "%u", i);
        now += 4;
    }
    cr_assert(kw_replay_count(replay) <= 60);
}

Test(replay, a_window_without_room_or_with_too_much_is_refused)
{
    struct kw_replay *none = NULL;

    cr_assert_eq(kw_replay_new(0, &none, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(kw_replay_new(KW_REPLAY_IDS_MAX + 1, &none, NULL).reason, KW_E_ARGUMENT_INVALID);
}
