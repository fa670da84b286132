/* The offline verifier: is a stretch of evidence complete and unaltered, and was everything in it
 * allowed? It asks nobody: it needs the evidence, the root CA and the public half of the checkpoint
 * key.
 *
 * What it holds against what:
 *
 *     receipt     its number, the head before it; the seal of its capsule, by authz below the root
 *     checkpoint  the signature of the HSM's key; the head of the chain at its number; all receipts
 *                 up to it are here, or from before the stretch
 *     head        what authz once saw, in a later capsule or told by itself, is still there
 *     fact        an enabling one: a receipt of the capsule it was made under;
 *                 a disabling one that a capsule names: it is there;
 *                 a key that was delivered: no fact had stopped it before
 */
#ifndef KW_CLI_VERIFY_H
#define KW_CLI_VERIFY_H

#include "common/audit/chain.h"
#include "common/crypto/key.h"
#include "keyward/v1/receipt_service.pb-c.h"

/* What can be wrong. Each kind of tampering has a name of its own. */
enum kw_finding_kind {
    KW_FINDING_RECORD_COUNT,
    KW_FINDING_RECEIPT_MISSING,
    KW_FINDING_RECEIPT_ALTERED,
    KW_FINDING_TAIL_MISSING,
    KW_FINDING_CHECKPOINT_FORGED,
    KW_FINDING_CAPSULE_FORGED,
    KW_FINDING_CAPSULE_MISFIT,
    KW_FINDING_CAPSULE_REUSED,
    KW_FINDING_FACT_ALTERED,
    KW_FINDING_FACT_UNBACKED,
    KW_FINDING_FACT_MISSING,
    KW_FINDING_KEY_USED_WHEN_STOPPED,
    KW_FINDING_KIND_COUNT_,
};

/* "receipt missing", …. Never NULL. */
const char *kw_finding_name(enum kw_finding_kind kind);

#define KW_FINDING_TEXT_SIZE 200

struct kw_finding {
    enum kw_finding_kind kind;
    char text[KW_FINDING_TEXT_SIZE]; /* where, and what */
};

#define KW_FINDINGS_MAX 1000 /* later ones are counted, not kept */

/* Whom the verifier believes. Borrowed for its life. */
struct kw_verify_trust {
    struct kw_bytes root; /* PEM */
    struct kw_bytes
        checkpoint; /* SubjectPublicKeyInfo, DER; of several regions one after the other */
    const char *trust_domain;
};

/* What the evidence is of. */
struct kw_verify_span {
    uint64_t start_ms;    /* 0: from the beginning */
    uint64_t end_ms;      /* exclusive; 0: all there was */
    uint64_t exported_ms; /* when it was asked for: what happened later need not be complete */
    bool
        copy; /* by another cell, which keeps one: its chains may end before heads that are signed */
};

/* One chain, as far as it was seen. Plain data. */
struct kw_verify_chain {
    struct kw_chain_verifier verifier;
    uint64_t first;      /* number of the first receipt; 0: none */
    uint64_t vouched_to; /* number up to which a checkpoint vouches */
    uint64_t signed_to;  /* the same, of one whose receipts are not here; 0: there is none */
    uint64_t receipts;
    uint64_t checkpoints;
    uint64_t newest_ms;
    uint64_t base;         /* number that heads[0] is of; 0, but for a stretch that began later */
    struct kw_hash *heads; /* for witnesses */
    size_t head_count;
    size_t head_cap;
};

struct kw_verify;

#define KW_VERIFY_KEYS_MAX 16 /* checkpoint keys: regions of a mesh */

/* Caller frees. Fails: CONFIG_INVALID (root or checkpoint key), MEMORY. */
struct kw_result kw_verify_new(const struct kw_verify_trust *trust,
                               const struct kw_verify_span *span, struct kw_verify **ret_verifier,
                               struct kw_error *err);

/* Accepts NULL. */
void kw_verify_free(struct kw_verify *verifier);

/* What is taken from now on is another cell's export of the same stretch. Fails: CONFIG_INVALID (it is of
 * another). */
struct kw_result kw_verify_another(struct kw_verify *verifier, const struct kw_verify_span *span,
                                   struct kw_error *err);

/* Takes the next record, in the order of the export. What is wrong with it becomes a finding, not a
 * failure. Fails: CRYPTO, MEMORY. */
struct kw_result kw_verify_take(struct kw_verify *verifier,
                                Keyward__V1__VerificationRecordType type, struct kw_bytes record,
                                struct kw_error *err);

/* After the last record: what can be judged only of the whole. `records` is how many there were
 * when it was exported. Fails: CRYPTO, MEMORY. */
struct kw_result kw_verify_end(struct kw_verify *verifier, uint64_t records, struct kw_error *err);

/* What was found; `ret_count` may exceed KW_FINDINGS_MAX, which are kept. */
const struct kw_finding *kw_verify_findings(const struct kw_verify *verifier, size_t *ret_count);

/* The chains, in the order in which they began. */
const struct kw_verify_chain *kw_verify_chains(const struct kw_verify *verifier, size_t *ret_count);

/* "3f29c1ab/77a0…": a chain in few letters; `text` has KW_CHAIN_TEXT_SIZE bytes. Returns `text`. */
#define KW_CHAIN_TEXT_SIZE 24
char *kw_verify_chain_text(struct kw_id core, struct kw_id stream, char *text);

size_t kw_verify_fact_count(const struct kw_verify *verifier);

#endif
