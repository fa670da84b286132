/* Drawing up an order by what cells say, of which one may be in wrong hands. */
#include "cli/order.h"
#include "common/crypto/digest.h"
#include "common/feed/lane_head.h"
#include "common/rpc/messages.h"
#include "common/sync/version_vector.h"
#include "tests/support/must.h"
#include "tests/support/vouched_stores.h"

#define ARENA     (1U << 20)
#define SHOWN_MAX 40

static const struct kw_id seed = {{0x5e}};
static const struct kw_id other_mesh = {{0x3f}};
static struct kw_lane lane = {.mesh = {{0x3e}}, .incarnation = {{0x1c}}}; /* of a store at r2/a */
static struct voucher_owner *owner;                                       /* of that store */
static struct kw_private_key keys[2]; /* the store's, and that of who is in wrong hands */
static struct kw_trust root;
static struct kw_arena *arena;

/* What one cell says of the store. */
struct saying {
    Keyward__V1__StoreLane lane;
    Keyward__V1__StoreLane *lanes[1];
    ProtobufCBinaryData signers[1];
    Keyward__V1__Store store;
    Keyward__V1__Store *stores[1];
    struct kw_id id;
    struct kw_bytes head; /* in the arena */
    uint8_t signer[KW_SHA256_LEN];
};

static void setup(void)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    arena = kw_arena_new(ARENA);
    for (size_t i = 0; i < 2; i++) {
        MUST(kw_private_key_generate(&keys[i], KW_CURVE_P256, err));
    }
    vouched_init();
    vouched_root(&pem);
    MUST(kw_trust_from_pem(&root, kw_buf_bytes(&pem), err));
    owner = vouched_owner(vouched_ca("r2", KW_SERVICES_CA_NAME), "r2", "a", &keys[0]);
    lane.store =
        voucher_read(voucher_made(owner, lane.mesh, seed, lane.incarnation, PKI_NOW_MS)).store;
}

static void teardown(void)
{
    kw_trust_done(&root);
    kw_arena_free(arena);
    for (size_t i = 0; i < 2; i++) {
        kw_private_key_done(&keys[i]);
    }
}

TestSuite(cli_order, .init = setup, .fini = teardown, .timeout = 60);

static void digest_of(const struct kw_private_key *key, uint8_t digest[KW_SHA256_LEN])
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_spki spki;

    MUST(kw_private_key_public(key, &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    MUST(kw_sha256(kw_spki_bytes(&spki), digest, err));
}

static struct kw_bytes vouch(struct kw_id life, uint64_t issued_ms)
{
    return voucher_made(owner, lane.mesh, seed, life, issued_ms);
}

/* It holds `seq` of its lane, by a head that was signed with one key, and knows that it signs with another. */
static struct saying *says(uint64_t seq, const struct kw_private_key *head,
                           const struct kw_private_key *knows)
{
    struct saying *s = kw_arena_alloc(arena, sizeof(*s));
    const struct kw_lane_head unsigned_head = {.lane = lane, .point = {.seq = seq}};
    KW_SCOPED(kw_buf_done) struct kw_buf signed_head = {0};

    MUST(kw_lane_id(&lane, &s->id, err));
    MUST(kw_lane_head_sign(&unsigned_head, head, &signed_head, err));
    MUST(kw_arena_copy(arena, kw_buf_bytes(&signed_head), &s->head, err));
    digest_of(knows, s->signer);
    keyward__v1__store_lane__init(&s->lane);
    s->lane.lane = kw_field_bytes(kw_id_bytes(&s->id));
    s->lane.sequence = seq;
    s->lane.head = kw_field_bytes(s->head);
    s->lanes[0] = &s->lane;
    s->signers[0] = kw_field_bytes(KW_BYTES_OF(s->signer));
    keyward__v1__store__init(&s->store);
    s->store.store = kw_field_bytes(kw_id_bytes(&lane.store));
    s->store.region = (char *)(uintptr_t) "r2";
    s->store.cell = (char *)(uintptr_t) "a";
    s->store.lanes = s->lanes;
    s->store.n_lanes = 1;
    s->store.signers = s->signers;
    s->store.n_signers = 1;
    s->store.voucher = kw_field_bytes(vouch(lane.incarnation, PKI_NOW_MS));
    s->stores[0] = &s->store;
    return s;
}

static struct kw_order_draft draft_of(enum kw_order_action action)
{
    return (struct kw_order_draft){.arena = arena,
                                   .vouching = {.root = &root,
                                                .trust_domain = PKI_DOMAIN,
                                                .place = "r2/a",
                                                .now_ms = PKI_NOW_MS},
                                   .order = {.action = action}};
}

static void ask(struct kw_order_draft *draft, struct saying *said)
{
    Keyward__V1__ListStoresResponse known = KEYWARD__V1__LIST_STORES_RESPONSE__INIT;

    known.mesh = kw_field_bytes(kw_id_bytes(&other_mesh)); /* nobody's word */
    known.stores = said->stores;
    known.n_stores = 1;
    MUST(kw_order_draft_add(draft, &known, err));
}

/* How much of the lane is honoured. */
static uint64_t drawn(struct kw_order_draft *draft)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    struct kw_id id;

    MUST(kw_lane_id(&lane, &id, err));
    MUST(kw_order_draft_end(draft, &content, err));
    return kw_vector_get(draft->order.stores[0].fence, id);
}

Test(cli_order, of_several_cells_the_one_that_holds_most_counts)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);

    ask(&draft, says(3, &keys[0], &keys[0]));
    ask(&draft, says(5, &keys[0], &keys[0]));
    ask(&draft, says(4, &keys[0], &keys[0]));
    cr_assert(eq(u64, drawn(&draft), 5));
    cr_assert(eq(uint, draft.unproven, 0));
}

Test(cli_order, the_only_cell_that_is_asked_knows_the_keys)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);

    ask(&draft, says(3, &keys[0], &keys[0]));
    cr_assert(eq(u64, drawn(&draft), 3));
}

Test(cli_order, a_number_that_its_store_did_not_sign_does_not_count)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);
    struct saying *liar = says(9, &keys[0], &keys[0]);

    ask(&draft, says(3, &keys[0], &keys[0]));
    liar->lane.head.data[liar->lane.head.len - 1] ^= 1;
    ask(&draft, liar);
    liar = says(4, &keys[0], &keys[0]);
    liar->lane.head = (ProtobufCBinaryData){0};
    ask(&draft, liar);
    liar = says(4, &keys[0], &keys[0]);
    liar->lane.sequence = 9; /* the head's counts */
    ask(&draft, liar);
    cr_assert(eq(u64, drawn(&draft), 4));
    cr_assert(eq(uint, draft.unproven, 2));
}

/* With a key of its own that it says is the store's. */
Test(cli_order, one_cell_alone_brings_no_key)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);

    ask(&draft, says(3, &keys[0], &keys[0]));
    ask(&draft, says(1000, &keys[1], &keys[1]));
    ask(&draft, says(2, &keys[0], &keys[0]));
    cr_assert(eq(u64, drawn(&draft), 3));
    cr_assert(eq(uint, draft.unproven, 1));
}

Test(cli_order, a_head_of_another_lane_counts_for_none)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);
    struct saying *liar = says(9, &keys[0], &keys[0]);

    liar->id.bytes[0] ^= 1;
    ask(&draft, liar);
    cr_assert(eq(u64, drawn(&draft), 0));
    cr_assert(eq(uint, draft.unproven, 1));
}

Test(cli_order, one_that_is_fenced_is_ordered_again_only_if_that_is_asked)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);
    struct saying *said = says(3, &keys[0], &keys[0]);
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    said->store.state = KEYWARD__V1__STORE_STATE__STORE_STATE_FENCED;
    ask(&draft, said);
    cr_assert(eq(int, kw_order_draft_end(&draft, &content, NULL).reason, KW_E_NOT_FOUND));
    draft = draft_of(KW_ORDER_FENCE);
    draft.again = true;
    ask(&draft, said);
    cr_assert(eq(u64, drawn(&draft), 3));
}

Test(cli_order, a_cut_names_stores_and_no_number)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_CUT);

    ask(&draft, says(3, &keys[0], &keys[0]));
    cr_assert(eq(u64, drawn(&draft), 0));
    cr_assert(eq(sz, draft.order.store_count, 1));
}

/* --- which stores are there --- */

/* By two honest cells, and by one that shows these, too. */
static void ask_with(struct kw_order_draft *draft, Keyward__V1__Store *shown, size_t count)
{
    Keyward__V1__ListStoresResponse known = KEYWARD__V1__LIST_STORES_RESPONSE__INIT;
    Keyward__V1__Store *stores[SHOWN_MAX];

    for (size_t i = 0; i < count; i++) {
        stores[i] = &shown[i];
    }
    known.stores = stores;
    known.n_stores = count;
    ask(draft, says(3, &keys[0], &keys[0]));
    ask(draft, says(3, &keys[0], &keys[0]));
    MUST(kw_order_draft_add(draft, &known, err));
}

/* Of the store at r2/a alone something is ordered, and so it is said why the other does not count. */
static void check_left_out(struct kw_id id, struct kw_bytes voucher, const char *why)
{
    for (enum kw_order_action action = KW_ORDER_DRAIN; action < KW_ORDER_ACTION_END_; action++) {
        struct kw_order_draft draft = draft_of(action);
        Keyward__V1__Store shown = says(1000, &keys[1], &keys[1])->store;
        KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

        shown.store = kw_field_bytes(kw_id_bytes(&id));
        shown.voucher = kw_field_bytes(voucher);
        ask_with(&draft, &shown, 1);
        MUST(kw_order_draft_end(&draft, &content, err));
        cr_assert(eq(sz, draft.order.store_count, 1));
        cr_assert(kw_id_equal(draft.order.stores[0].store, lane.store));
        cr_assert(kw_id_equal(draft.order.mesh, lane.mesh));
        cr_assert(ne(ptr, draft.doubts, NULL));
        cr_assert(eq(str, (char *)(uintptr_t)draft.doubts->why, (char *)(uintptr_t)why));
        cr_assert(eq(uint, draft.doubts->cell, 3));
        cr_assert(eq(ptr, draft.doubts->next, NULL));
    }
}

/* A store with a voucher that is signed as it says, but for what a liar makes of it. */
static void check_forged(const struct kw_voucher *voucher, const struct kw_private_key *key,
                         const char *why)
{
    struct kw_bytes record = voucher_signed(voucher, key);

    check_left_out(voucher_read(record).store, record, why);
}

static struct kw_bytes of_neighbour(struct voucher_owner **ret_neighbour)
{
    *ret_neighbour = vouched_owner(vouched_ca("r1", KW_SERVICES_CA_NAME), "r1", "b", &keys[1]);
    return voucher_made(*ret_neighbour, lane.mesh, seed, lane.incarnation, PKI_NOW_MS);
}

Test(cli_order, nobody_places_an_honest_store_where_others_are_fenced)
{
    struct voucher_owner *neighbour;
    struct kw_bytes voucher = of_neighbour(&neighbour);
    struct kw_id id = voucher_read(voucher).store;

    check_left_out(id, voucher, "its voucher is of another place");
    check_left_out(id, KW_BYTES_NONE, "it has no voucher");
    check_left_out(id, vouch(lane.incarnation, PKI_NOW_MS), "its voucher is another store's");
    check_left_out(id, kw_bytes_str("KWV1"), "its voucher can't be read");
}

Test(cli_order, nobody_else_vouches_for_a_store_there)
{
    struct voucher_owner *neighbour;
    struct kw_voucher voucher = voucher_read(of_neighbour(&neighbour));

    voucher.region = kw_bytes_str("r2");
    voucher.cell = kw_bytes_str("a");
    check_forged(&voucher, &neighbour->credentials.key, "its voucher is not proven");
    voucher = voucher_read(vouch(lane.incarnation, PKI_NOW_MS));
    voucher.seed = other_mesh;
    check_forged(&voucher, &neighbour->credentials.key, "its voucher is not proven");
    voucher.service = kw_bytes_str("gateway");
    check_forged(&voucher, &owner->credentials.key, "its voucher is of no owner");
}

/* Each has a certificate with the right name: by another root, by a CA of callers, and by one of no region. */
Test(cli_order, no_other_ca_vouches_for_a_store_there)
{
    const struct pki_pair *authorities[] = {voucher_ca(), vouched_ca("r2", "Keyward partners CA"),
                                            vouched_ca(NULL, KW_SERVICES_CA_NAME)};
    const char *why[] = {"its voucher is not proven",
                         "its voucher is by no services CA of that region",
                         "its voucher is by no services CA of that region"};

    for (size_t i = 0; i < 3; i++) {
        const struct voucher_owner *liar = vouched_owner(authorities[i], "r2", "a", &keys[1]);
        struct kw_bytes made =
            voucher_made(liar, lane.mesh, other_mesh, lane.incarnation, PKI_NOW_MS);

        check_left_out(voucher_read(made).store, made, why[i]);
    }
}

Test(cli_order, stores_that_are_made_up_cost_nothing)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_CUT);
    static Keyward__V1__Store shown[SHOWN_MAX];
    static struct kw_id ids[SHOWN_MAX];

    for (size_t i = 0; i < SHOWN_MAX; i++) {
        keyward__v1__store__init(&shown[i]);
        ids[i].bytes[0] = (uint8_t)i;
        shown[i].store = kw_field_bytes(KW_BYTES(ids[i].bytes, i % (KW_ID_LEN + 1)));
    }
    ask_with(&draft, shown, SHOWN_MAX);
    cr_assert(eq(u64, drawn(&draft), 0));
    cr_assert(eq(sz, draft.order.store_count, 1));
}

/* --- which mesh, which life --- */

/* Whoever has the keys of the place that is to be fenced can vouch for it. */
static void ask_of_other_mesh(struct kw_order_draft *draft)
{
    struct saying *liar = says(3, &keys[0], &keys[0]);
    struct kw_bytes made = voucher_made(owner, other_mesh, seed, lane.incarnation, PKI_NOW_MS);
    struct kw_id id = voucher_read(made).store;

    liar->store.store = kw_field_bytes(kw_id_bytes(&id));
    liar->store.voucher = kw_field_bytes(made);
    ask(draft, liar);
}

Test(cli_order, the_mesh_is_the_one_that_most_cells_show)
{
    for (unsigned first = 0; first < 3; first++) {
        struct kw_order_draft draft = draft_of(KW_ORDER_FENCE);

        for (unsigned cell = 0; cell < 3; cell++) {
            if (cell == first) {
                ask_of_other_mesh(&draft);
            } else {
                ask(&draft, says(3, &keys[0], &keys[0]));
            }
        }
        cr_assert(eq(u64, drawn(&draft), 3));
        cr_assert(kw_id_equal(draft.order.mesh, lane.mesh));
        cr_assert(eq(sz, draft.order.store_count, 1));
    }
}

Test(cli_order, nothing_is_ordered_where_as_many_show_another_mesh)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_CUT);
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    ask(&draft, says(3, &keys[0], &keys[0]));
    ask_of_other_mesh(&draft);
    cr_assert(eq(int, kw_order_draft_end(&draft, &content, NULL).reason, KW_E_ARGUMENT_INVALID));
}

Test(cli_order, the_life_that_is_drained_is_the_one_in_the_latest_voucher)
{
    const struct kw_id later = {{0x1d}};

    for (unsigned latest = 0; latest < 3; latest++) {
        struct kw_order_draft draft = draft_of(KW_ORDER_DRAIN);

        for (unsigned cell = 0; cell < 3; cell++) {
            struct saying *said = says(3, &keys[0], &keys[0]);

            if (cell == latest) {
                said->store.voucher = kw_field_bytes(vouch(later, PKI_NOW_MS + 1));
            }
            said->store.incarnation = kw_field_bytes(kw_id_bytes(&other_mesh)); /* nobody's word */
            ask(&draft, said);
        }
        cr_assert(eq(u64, drawn(&draft), 0));
        cr_assert(kw_id_equal(draft.order.stores[0].life, later));
    }
}

/* --- when it was vouched for --- */

static enum kw_reason drawn_at(uint64_t now_ms)
{
    struct kw_order_draft draft = draft_of(KW_ORDER_CUT);
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    draft.vouching.now_ms = now_ms;
    ask(&draft, says(3, &keys[0], &keys[0]));
    return kw_order_draft_end(&draft, &content, NULL).reason;
}

Test(cli_order, a_voucher_outlives_its_certificate_and_is_not_of_the_future)
{
    cr_assert(eq(int, drawn_at(PKI_NOW_MS + 1000 * PKI_DAY_MS), KW_E_NONE));
    cr_assert(eq(int, drawn_at(PKI_NOW_MS - KW_STAMP_AHEAD_MS_MAX - 1), KW_E_NOT_FOUND));
}
