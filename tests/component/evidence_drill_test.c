/* What becomes of receipts when somebody lays hands on them, or when the core dies: a real core and
 * orchestrator, and the orchestrator's own export held against chain and checkpoints
 * (common/audit). */
#include "common/audit/chain.h"
#include "common/crypto/keyfile.h"
#include "keyward/v1/receipt_service.pb-c.h"
#include "tests/support/mesh_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>

#define RECEIPTS   6
#define FLOOD      200
#define CHAINS_MAX 8

static struct mesh_fixture mesh;

static void up(void)
{
    mesh_fixture_init(&mesh);
}

static void down(void)
{
    mesh_fixture_done(&mesh);
}

TestSuite(evidence, .init = up, .fini = down, .timeout = 120);

/* --- making receipts --- */

/* An invitation by the officer: a use of a key in the HSM that needs nothing stored. */
static struct core_ask receipt_ask(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    struct core_ask ask;
    struct kw_id member;

    MUST(kw_id_random(&member, err));
    core_invite_ask(&mesh.core, KW_ROLE_PARTNER, member, &key, &ask);
    return ask;
}

/* UNAVAILABLE until the orchestrator has found the core. */
static void receipt_make(void)
{
    struct mesh_call call;
    struct core_ask ask;

    do {
        ask = receipt_ask();
        call = (struct mesh_call){0};
        (void)mesh_ask(&mesh, &ask, &call);
        core_fixture_turn(&mesh.core);
    } while (call.reason == KW_E_PEER_UNAVAILABLE);
    REQUIRE(call.reason == KW_E_NONE, "%s", kw_reason_row(call.reason)->name);
}

/* --- looking at them --- */

struct chain_found {
    struct kw_chain_verifier verifier;
    uint64_t receipts;
    uint64_t vouched; /* number up to which a checkpoint vouches */
};

struct evidence {
    struct kw_public_key checkpoint;
    struct chain_found chains[CHAINS_MAX];
    size_t count;
};

static struct chain_found *chain_of(struct evidence *evidence, struct kw_id core,
                                    struct kw_id stream)
{
    struct chain_found *chain;

    for (size_t i = 0; i < evidence->count; i++) {
        chain = &evidence->chains[i];
        if (kw_id_equal(chain->verifier.at.core, core) &&
            kw_id_equal(chain->verifier.at.stream, stream)) {
            return chain;
        }
    }
    REQUIRE(evidence->count < CHAINS_MAX, "more chains than there can be");
    chain = &evidence->chains[evidence->count++];
    kw_chain_verify_start(&chain->verifier, &(struct kw_chain){.core = core, .stream = stream});
    return chain;
}

static void receipt_take(struct evidence *evidence, struct kw_bytes record)
{
    enum kw_chain_verdict verdict;
    struct chain_found *chain;
    struct kw_receipt receipt;

    MUST(kw_receipt_decode(record, &receipt, err));
    chain = chain_of(evidence, receipt.core, receipt.stream);
    MUST(kw_chain_verify_receipt(&chain->verifier, record, &verdict, err));
    chain->receipts++;
}

static void checkpoint_take(struct evidence *evidence, struct kw_bytes record)
{
    struct kw_checkpoint checkpoint;
    struct chain_found *chain;

    MUST(kw_checkpoint_decode(record, &checkpoint, err));
    MUST(kw_checkpoint_verify(&checkpoint, &evidence->checkpoint, err));
    chain = chain_of(evidence, checkpoint.core, checkpoint.stream);
    (void)kw_chain_verify_checkpoint(&chain->verifier, &checkpoint);
    chain->vouched = checkpoint.seq;
}

static void take(const ProtobufCMessage *answer, void *context)
{
    const Keyward__V1__GetVerificationDataResponse *page =
        (const Keyward__V1__GetVerificationDataResponse *)answer;

    for (size_t i = 0; i < page->n_records; i++) {
        struct kw_bytes record = kw_bytes_field(page->records[i]->encoded);

        if (page->records[i]->type ==
            KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT) {
            receipt_take(context, record);
        } else if (page->records[i]->type ==
                   KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CHECKPOINT) {
            checkpoint_take(context, record);
        }
    }
}

static void checkpoint_key(struct kw_public_key *ret_key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf spki = {0};
    char path[PATH_MAX];

    MUST(kw_keyfile_read(AT_FDCWD, kw_mesh_path(&mesh.core.dir, "region/pki/checkpoint.pub", path),
                         4096, false, &spki, err));
    MUST(kw_public_key_from_spki(ret_key, kw_buf_bytes(&spki), err));
}

/* The whole export, as the officer gets it. */
static struct evidence evidence_get(void)
{
    static const Keyward__V1__GetVerificationDataRequest body =
        KEYWARD__V1__GET_VERIFICATION_DATA_REQUEST__INIT;
    struct evidence evidence = {0};
    struct mesh_call call = {.type = &keyward__v1__get_verification_data_response__descriptor,
                             .take = take,
                             .context = &evidence};
    struct core_ask ask;
    enum kw_reason reason;

    checkpoint_key(&evidence.checkpoint);
    core_ask_init(&mesh.core, &ask, KW_METHOD_GET_VERIFICATION_DATA, &body.base,
                  &mesh.core.officer);
    reason = mesh_ask(&mesh, &ask, &call);
    REQUIRE(reason == KW_E_NONE, "%s", kw_reason_row(reason)->name);
    kw_public_key_done(&evidence.checkpoint);
    return evidence;
}

/* Some receipts, the last of them under a checkpoint. */
static struct evidence evidence_make(void)
{
    struct evidence evidence;

    for (int i = 0; i < RECEIPTS; i++) {
        receipt_make();
    }
    EVENTUALLY(&mesh.core, (evidence = evidence_get(), evidence.chains[0].vouched == RECEIPTS));
    cr_assert(eq(sz, evidence.count, 1));
    cr_assert(eq(u64, evidence.chains[0].receipts, RECEIPTS));
    return evidence;
}

/* A hand in the orchestrator's database, and what the export says then of the chain it was laid on.
 */
static enum kw_chain_verdict verdict_after(const char *sql)
{
    struct evidence evidence = evidence_make();
    char path[PATH_MAX];
    sqlite3 *db;

    cr_assert(eq(int, evidence.chains[0].verifier.verdict, KW_CHAIN_OK));
    mesh_orchestrator_stop(&mesh);
    cr_assert(eq(int, sqlite3_open(kw_mesh_path(&mesh.core.dir, "data/orchestrator.db", path), &db),
                 SQLITE_OK));
    cr_assert(eq(int, sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK), "%s",
              sqlite3_errmsg(db));
    cr_assert(lt(int, 0, sqlite3_changes(db)));
    sqlite3_close(db);
    mesh_orchestrator_start(&mesh);
    evidence = evidence_get();
    cr_assert(eq(sz, evidence.count, 1));
    return kw_chain_verify_end(&evidence.chains[0].verifier);
}

/* --- what is found, and what is not --- */

/* The orchestrator ended in good order, the core lives: the chain is whole and not closed. */
Test(evidence, what_nobody_touched_is_whole)
{
    cr_assert(eq(int, verdict_after("UPDATE receipts SET caller = caller"), KW_CHAIN_UNCLEAN_END));
}

Test(evidence, a_receipt_deleted_in_the_middle_is_a_gap)
{
    cr_assert(eq(int, verdict_after("DELETE FROM receipts WHERE seq = 3"), KW_CHAIN_GAP));
}

Test(evidence, a_deleted_tail_is_a_gap)
{
    cr_assert(eq(int, verdict_after("DELETE FROM receipts WHERE seq > 4"), KW_CHAIN_GAP));
}

/* The last byte of the time: the record still reads well. */
Test(evidence, an_altered_receipt_is_found)
{
    cr_assert(
        eq(int,
           verdict_after("UPDATE receipts SET record = CAST(substr(record, 1, 99) || x'00' || "
                         "substr(record, 101) AS BLOB) WHERE seq = 3"),
           KW_CHAIN_ALTERED));
}

/* Another's receipt in its place, with the number of the one that went. */
Test(evidence, a_receipt_in_another_s_place_is_found)
{
    cr_assert(eq(int,
                 verdict_after("UPDATE receipts SET record = (SELECT record FROM receipts WHERE "
                               "seq = 2) WHERE seq = 4"),
                 KW_CHAIN_ALTERED));
}

static size_t over(const struct mesh_call *calls, bool answered)
{
    size_t count = 0;

    for (size_t i = 0; i < FLOOD; i++) {
        count += calls[i].over && (!answered || calls[i].reason == KW_E_NONE);
    }
    return count;
}

/* So many calls at once that the first is answered long before the last. */
static void flood_start(struct mesh_call *calls)
{
    for (size_t i = 0; i < FLOOD; i++) {
        struct core_ask ask = receipt_ask();

        mesh_ask_start(&mesh, &ask, &calls[i]);
    }
    EVENTUALLY(&mesh.core, over(calls, true) > 0);
}

/* Two chains: that of the one who died, and that of the one who came after. Each is whole as far as
 * it goes, and no answer went out without its receipt. */
static void assert_no_tampering(const struct evidence *evidence, size_t answered)
{
    cr_assert(eq(sz, evidence->count, 2));
    cr_assert(ge(u64, evidence->chains[0].receipts, answered));
    for (size_t i = 0; i < evidence->count; i++) {
        cr_assert(
            eq(int, kw_chain_verify_end(&evidence->chains[i].verifier), KW_CHAIN_UNCLEAN_END));
    }
}

Test(evidence, a_core_killed_with_receipts_in_flight_is_no_tampering)
{
    static struct mesh_call calls[FLOOD];
    struct evidence evidence;
    size_t answered;

    flood_start(calls);
    core_fixture_kill(&mesh.core);
    EVENTUALLY(&mesh.core, over(calls, false) == FLOOD);
    answered = over(calls, true);
    cr_assert(lt(sz, answered, FLOOD), "the core was faster than the kill");
    core_fixture_start(&mesh.core);
    receipt_make();
    evidence = evidence_get();
    assert_no_tampering(&evidence, answered);
}

Test(evidence, an_orchestrator_killed_with_receipts_in_flight_is_no_tampering)
{
    static struct mesh_call calls[FLOOD];
    struct evidence evidence;
    size_t answered;

    flood_start(calls);
    mesh_orchestrator_kill(&mesh);
    EVENTUALLY(&mesh.core, over(calls, false) == FLOOD);
    answered = over(calls, true);
    cr_assert(lt(sz, answered, FLOOD), "the orchestrator was faster than the kill");
    mesh_orchestrator_start(&mesh);
    receipt_make();
    evidence = evidence_get();
    assert_no_tampering(&evidence, answered);
}
