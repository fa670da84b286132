/* Certificates as we make them: leaves for services, callers and transport keys, and CAs (RFC 5280,
 * X.509-SVID).
 *
 * The issuer's key is whatever an EVP_PKEY can be, an HSM's through libp11 included. Every
 * certificate has a random 128-bit serial, subject and authority key identifiers, and a signature
 * with SHA-384.
 */
#ifndef KW_COMMON_PKI_BUILD_H
#define KW_COMMON_PKI_BUILD_H

#include "common/pki/certificate.h"

#define KW_ISSUED_SERIAL_LEN 16
#define KW_CA_NAME_LEN_MAX   64 /* the upper bound of a common name, RFC 5280 */

/* What a leaf's key may be used for: a set of flags. */
enum kw_usage {
    KW_USAGE_CLIENT = 1,    /* digital signature, clientAuth */
    KW_USAGE_SERVER = 2,    /* digital signature, serverAuth */
    KW_USAGE_TRANSPORT = 4, /* key agreement, alone: the recipient of CMS */
};

/* Whose key signs. Borrowed. */
struct kw_issuer {
    const struct kw_certificate *certificate;
    const struct kw_private_key *key;
};

/* A leaf to be made. All borrowed. */
struct kw_leaf_plan {
    const struct kw_public_key *subject;
    const struct kw_spiffe
        *identity;               /* becomes the only URI SAN; its last segment the common name */
    struct kw_validity validity; /* within the issuer's */
    unsigned usage;              /* KW_USAGE_ flags */
    const char *const *hosts; /* with SERVER: further DNS names or IP addresses, e.g. "localhost" */
    size_t host_count;
};

/* A CA to be made. All borrowed. */
struct kw_ca_plan {
    const struct kw_public_key *subject;
    const char *name; /* common name */
    struct kw_validity validity;
    int path_len;       /* CAs allowed below this one: 0 for an issuing CA */
    const char *region; /* whose services alone it certifies (region.h); NULL: none, a root */
};

/* Makes a leaf. `ret_certificate` is made here. Any thread; blocks as long as the issuer's key
 * does. Fails: ARGUMENT_INVALID (usage, hosts, validity reversed or outside the issuer's, issuer
 * not a CA or not the key's), IDENTITY_INVALID (a service of another region than the issuer's),
 * CRYPTO (also when the HSM refused to sign), SYSTEM (randomness), MEMORY. */
struct kw_result kw_certificate_issue(const struct kw_leaf_plan *plan,
                                      const struct kw_issuer *issuer,
                                      struct kw_certificate *ret_certificate, struct kw_error *err);

/* Makes an issuing CA. Fails: as kw_certificate_issue. */
struct kw_result kw_certificate_issue_ca(const struct kw_ca_plan *plan,
                                         const struct kw_issuer *issuer,
                                         struct kw_certificate *ret_certificate,
                                         struct kw_error *err);

/* Makes a root, signed by its own key, whose public half must be `plan->subject`. Fails: as above.
 */
struct kw_result kw_certificate_issue_root(const struct kw_ca_plan *plan,
                                           const struct kw_private_key *key,
                                           struct kw_certificate *ret_certificate,
                                           struct kw_error *err);

#endif
