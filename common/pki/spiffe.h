/* SPIFFE ids: who a certificate speaks for. One spelling each, compared byte for byte.
 *
 *     spiffe://TRUST-DOMAIN/region/R/cell/C/svc/NAME        a service of ours
 *     spiffe://TRUST-DOMAIN/partner/prt_…                   a caller; likewise
 *                          /operator/opr_…  /station/sta_…  /invite/inv_…
 */
#ifndef KW_COMMON_PKI_SPIFFE_H
#define KW_COMMON_PKI_SPIFFE_H

#include "common/base/id.h"

#define KW_SPIFFE_LEN_MAX        2048 /* X.509-SVID's limit: longer input is not looked at */
#define KW_SPIFFE_DOMAIN_LEN_MAX 255
#define KW_SPIFFE_SEGMENT_LEN_MAX                                                                  \
    63                          /* region, cell and service names are also DNS labels and paths */
#define KW_SPIFFE_TEXT_SIZE 512 /* any id that can be formatted, and its NUL */

enum kw_role {
    KW_ROLE_SERVICE,
    KW_ROLE_PARTNER,
    KW_ROLE_OPERATOR,
    KW_ROLE_STATION,
    KW_ROLE_INVITATION,
    KW_ROLE_COUNT_,
};

/* A parsed id. Plain data. What the role does not use is zero. */
struct kw_spiffe {
    enum kw_role role;
    char trust_domain[KW_SPIFFE_DOMAIN_LEN_MAX + 1];
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];  /* services */
    char cell[KW_SPIFFE_SEGMENT_LEN_MAX + 1];    /* services */
    char service[KW_SPIFFE_SEGMENT_LEN_MAX + 1]; /* services: "authz" */
    struct kw_id id;                             /* callers */
};

/* "service", "partner", … for logs and metrics. Never NULL. */
const char *kw_role_name(enum kw_role role);

/* How this role's ids are spelled (KW_ID_PARTNER, …). Callers only: not KW_ROLE_SERVICE. */
enum kw_id_kind kw_role_id_kind(enum kw_role role);

/* Fills an id from its parts. Fails: ARGUMENT_INVALID (a part is empty, too long, or not of
 * [a-z0-9._-]). */
struct kw_result kw_spiffe_service(const char *trust_domain, const char *region, const char *cell,
                                   const char *service, struct kw_spiffe *ret_id,
                                   struct kw_error *err);
struct kw_result kw_spiffe_caller(const char *trust_domain, enum kw_role role, struct kw_id id,
                                  struct kw_spiffe *ret_id, struct kw_error *err);

/* Reads an id strictly: lower case, no percent, no empty or dotted segment, no query, exactly these
 * paths. Fails: IDENTITY_INVALID. */
struct kw_result kw_spiffe_parse(struct kw_bytes text, struct kw_spiffe *ret_id,
                                 struct kw_error *err);

/* The inverse of kw_spiffe_parse: for everything it accepts, the very bytes it read. Returns
 * `text`. `id` comes from kw_spiffe_parse, kw_spiffe_service or kw_spiffe_caller. */
char *kw_spiffe_text(const struct kw_spiffe *id, char text[KW_SPIFFE_TEXT_SIZE]);

/* True when both would have the same text. */
bool kw_spiffe_equal(const struct kw_spiffe *a, const struct kw_spiffe *b);

#endif
