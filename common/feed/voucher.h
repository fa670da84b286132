/* Vouchers: how a store becomes a member of the mesh. Record `KWV1` (docs/formats.md).
 *
 *     "the store with this seed, at this place, lives this incarnation and signs its lanes with this
 *      key": signed by the key of its owner's service certificate, whose chain is in it
 *
 * Nobody has to sign for a store that joins: certificates are given only to services on a list that
 * an officer signed, and the place is the one in the certificate. A store's id is a digest of its
 * place and its seed, so nobody at another place can vouch for it, and no certificate of another place is of
 * any use to whoever wants its id.
 *
 * The lane's key is not the certificate's: it outlives it, and what it signed stays good. Therefore a voucher names
 * the earlier keys and lives, too: who joins later believes nobody else about them.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_VOUCHER_H
#define KW_COMMON_FEED_VOUCHER_H

#include "common/base/limits.h"
#include "common/feed/lane_check.h"
#include "common/pki/credentials.h"

#define KW_VOUCHER_LABEL "KEYWARD-VOUCHER-v1"

/* Plain data; everything borrows. */
struct kw_voucher {
    struct kw_id mesh;
    struct kw_id seed; /* kw_store_id: drawn with the database */
    struct kw_bytes region;
    struct kw_bytes cell;
    struct kw_bytes service; /* the owner whose database it is: "authz", "orchestrator" */
    struct kw_id incarnation;
    struct kw_bytes key; /* SubjectPublicKeyInfo of the lanes' key, P-256 */
    /* All that its store ever was, as sets in its row are: the latest voucher proves the whole row. */
    struct kw_bytes signers; /* digests of its keys, this one among them */
    struct kw_bytes lives;   /* this one among them */
    struct kw_bytes settled; /* of them; may be empty */
    uint64_t issued_ms;
    struct kw_bytes chain[KW_VOUCHER_CHAIN_MAX]; /* certificates, DER, the leaf first */
    size_t chain_count;
    struct kw_bytes signature;
    struct kw_id store;     /* whose it is, by the above */
    struct kw_bytes record; /* KWV1, as it came: of one that was read */
};

/* Whom an owner believes, and who it is. */
struct kw_voucher_trust {
    const struct kw_trust *services; /* the CAs of services, of all regions */
    struct kw_spiffe self;           /* stores of its trust domain and its service are believed */
    struct kw_spki key;              /* which it signs its lanes with */
};

/* The id of the store with this seed at the place of this service: the first 16 bytes of
 * SHA-256("KEYWARD-STORE-v1" ‖ mesh ‖ region ‖ cell ‖ service ‖ seed). Fails: CRYPTO, MEMORY. */
struct kw_result kw_voucher_store(struct kw_id mesh, const struct kw_spiffe *service,
                                  struct kw_id seed, struct kw_id *ret_store, struct kw_error *err);

/* What a voucher is made of, besides the credentials. Borrows. */
struct kw_voucher_plan {
    struct kw_id mesh;
    struct kw_id seed;
    struct kw_id incarnation;
    const struct kw_voucher_trust *trust; /* its `self` and `key` */
    uint64_t issued_ms;
    struct kw_bytes signers; /* what its row has; this life and key come to it. May be empty */
    struct kw_bytes lives;
    struct kw_bytes settled;
};

/* Signs, over "KEYWARD-VOUCHER-v1" ‖ all fields before the signature, and appends the record. Fails:
 * ARGUMENT_INVALID (what a reader would refuse), IDENTITY_INVALID (the certificate is not `self`'s),
 * CRYPTO, MEMORY. */
struct kw_result kw_voucher_make(const struct kw_voucher_plan *plan,
                                 const struct kw_credentials *credentials, struct kw_buf *out,
                                 struct kw_error *err);

/* Reads a record strictly; verifies nothing: what it is about. Fails: ENCODING_INVALID, CRYPTO,
 * MEMORY. */
struct kw_result kw_voucher_decode(struct kw_bytes record, struct kw_voucher *ret_voucher,
                                   struct kw_error *err);

/* Whose it says it is. Fails: ENCODING_INVALID (a name that no certificate has). */
struct kw_result kw_voucher_place(const struct kw_voucher *voucher, const char *trust_domain,
                                  struct kw_spiffe *ret_service, struct kw_error *err);

/* Does it name every key and life that the row of its store has, and each that is settled? */
bool kw_voucher_covers(const struct kw_voucher *voucher, const struct kw_record *row);

/* Can its key sign lanes? Fails: ENCODING_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_voucher_check_key(const struct kw_voucher *voucher, struct kw_error *err);

/* Is it to be believed at `at_ms`? NEWS: yes. Else BROKEN (no key that signs lanes), OTHER_MESH, STRANGER (of another
 * service, a certificate that is not by our CAs, not good then, or another's; issued too far ahead, or not within its
 * certificate's time) or UNSIGNED. Fails: CRYPTO, MEMORY. */
struct kw_result kw_voucher_check(const struct kw_voucher *voucher, struct kw_id mesh,
                                  const struct kw_voucher_trust *trust, uint64_t at_ms,
                                  enum kw_lane_verdict *ret_verdict, struct kw_error *err);

/* Both: BROKEN where it can't be read. */
struct kw_result kw_voucher_read(struct kw_bytes record, struct kw_id mesh,
                                 const struct kw_voucher_trust *trust, uint64_t at_ms,
                                 struct kw_voucher *ret_voucher, enum kw_lane_verdict *ret_verdict,
                                 struct kw_error *err);

/* What it says, as a change of its store's row: always the same of one voucher. It is a
 * last-writer-wins value by its own time, so a later one replaces an earlier one, whoever brings
 * them in whichever order. `ret_row` is in the arena. Fails: MEMORY, CRYPTO. */
struct kw_result kw_voucher_row(const struct kw_voucher *voucher, struct kw_arena *arena,
                                struct kw_record *ret_row, struct kw_error *err);

/* The voucher in a row of `stores`, or in a change of one; empty: there is none. */
struct kw_bytes kw_voucher_of(const struct kw_record *row);

#endif
