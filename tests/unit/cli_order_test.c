/* Drawing up an order by what cells say, of which one may be in wrong hands. */
#include "cli/order.h"
#include "common/crypto/digest.h"
#include "common/feed/lane_head.h"
#include "common/rpc/messages.h"
#include "common/sync/version_vector.h"
#include "tests/support/must.h"

#define ARENA (1U << 20)

static const struct kw_lane lane = {.mesh = {{0x3e}}, .store = {{0x5e}}, .incarnation = {{0x1c}}};
static struct kw_private_key keys[2]; /* the store's, and that of who is in wrong hands */
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
    arena = kw_arena_new(ARENA);
    for (size_t i = 0; i < 2; i++) {
        MUST(kw_private_key_generate(&keys[i], KW_CURVE_P256, err));
    }
}

static void teardown(void)
{
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
    s->stores[0] = &s->store;
    return s;
}

static struct kw_order_draft draft_of(enum kw_order_action action)
{
    return (struct kw_order_draft){.arena = arena, .place = "r2/a", .order = {.action = action}};
}

static void ask(struct kw_order_draft *draft, struct saying *said)
{
    Keyward__V1__ListStoresResponse known = KEYWARD__V1__LIST_STORES_RESPONSE__INIT;

    known.mesh = kw_field_bytes(kw_id_bytes(&lane.mesh));
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
