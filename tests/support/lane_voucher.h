/* Owners that vouch for their stores, for tests: services with certificates by the services' CA, a CA of
 * callers beside it, and vouchers that are wrong in one way. All is good at PKI_NOW_MS, a day before and
 * after. Everything lives until the test ends. */
#ifndef KW_TESTS_SUPPORT_LANE_VOUCHER_H
#define KW_TESTS_SUPPORT_LANE_VOUCHER_H

#include "common/feed/voucher.h"
#include "tests/support/merge_values.h"
#include "tests/support/pki_fixture.h"

struct voucher_owner {
    struct kw_credentials credentials;
    struct kw_voucher_trust trust;
};

/* The CA of services, and that of callers. */
const struct pki_pair *voucher_ca(void);
const struct pki_pair *voucher_callers_ca(void);

/* A service of region "eu" with a certificate by `issuer`; its lanes are signed with `key`. */
struct voucher_owner *voucher_owner_new(const struct pki_pair *issuer, const char *cell,
                                        const char *service, const struct kw_private_key *key);

/* Authz of a cell of another region, by the services' CA. */
struct voucher_owner *voucher_owner_in(const char *region, const char *cell,
                                       const struct kw_private_key *key);

/* The same, of a certificate that is none of a service's. */
struct voucher_owner *voucher_owner_as(const struct pki_pair *issuer,
                                       const struct kw_spiffe *certified);

struct kw_spki voucher_spki(const struct kw_private_key *key);

/* The owner's voucher for the store with this seed. */
struct kw_bytes voucher_made(const struct voucher_owner *owner, struct kw_id mesh,
                             struct kw_id seed, struct kw_id incarnation, uint64_t issued_ms);
struct kw_bytes voucher_made_of(const struct voucher_owner *owner,
                                const struct kw_voucher_plan *plan);
struct kw_voucher voucher_read(struct kw_bytes record);

/* Whatever it says, signed with `key`; the chain as it is in the voucher. */
struct kw_bytes voucher_signed(const struct kw_voucher *voucher, const struct kw_private_key *key);

#endif
