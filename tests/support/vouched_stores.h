/* Owners of stores whose services CAs are below one root, each of its region, as keyward makes them. All is good at PKI_NOW_MS. */
#ifndef KW_TESTS_SUPPORT_VOUCHED_STORES_H
#define KW_TESTS_SUPPORT_VOUCHED_STORES_H

#include "common/pki/region.h"
#include "tests/support/lane_voucher.h"

/* Makes the root; its certificate, PEM, appended. */
void vouched_init(void);
void vouched_root(struct kw_buf *pem);

/* A region's CA below the root: KW_SERVICES_CA_NAME, or of callers. */
const struct pki_pair *vouched_ca(const char *region, const char *name);

/* An owner in r2/a or elsewhere, with a certificate by this CA, that signs its lanes with `key`. */
struct voucher_owner *vouched_owner(const struct pki_pair *ca, const char *region, const char *cell,
                                    const struct kw_private_key *key);

#endif
