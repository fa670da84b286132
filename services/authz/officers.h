/* The first officers: certificates of operators and auditors in directories, as `init` and the
 * ceremony leave them there. The directories are the list. */
#ifndef KW_SERVICES_AUTHZ_OFFICERS_H
#define KW_SERVICES_AUTHZ_OFFICERS_H

#include "services/authz/certificate_table.h"
#include "services/authz/config.h"

/* What the directories hold. Zero-initialise; release with kw_officers_done. */
struct kw_officers {
    struct kw_certificate_row *rows;
    size_t count;
    size_t capacity;
};

/* Reads *.pem of both directories (leaf first); each leaf must be an operator's of ours, below
 * pki_dir/ca-operators.pem. One that has expired is left out and logged. Blocks; at start-up.
 * Fails: CONFIG_INVALID (a directory or file that can't be read, a certificate that is not an
 * operator's, no operator at all), MEMORY. */
struct kw_result kw_officers_load(const struct kw_authz_config *config, uint64_t now_ms,
                                  struct kw_officers *officers, struct kw_error *err);

/* Store's thread: registers them, and revokes the operators and auditors that were among them before
 * and are no longer. Fails: CONFIG_INVALID (one of them was revoked before: that is final), and as the
 * tables. */
struct kw_result kw_officers_register(const struct kw_officers *officers, uint64_t now_ms,
                                      const struct kw_feed_tx *feed_tx, struct kw_error *err);

void kw_officers_done(struct kw_officers *officers);

#endif
