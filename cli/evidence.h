/* Evidence in a file, one JSON object a line:
 *
 *     {"startTime":…,"endTime":…,"exportTime":…}    what was asked for, and when
 *     {"type":"VERIFICATION_RECORD_TYPE_…",         a record, as proto3 JSON has it
 *      "encoded":base64}
 *     {"records":N}                                 the end: a file without it is not judged
 */
#ifndef KW_CLI_EVIDENCE_H
#define KW_CLI_EVIDENCE_H

#include "cli/connection.h"
#include "cli/verify.h"

#include <stdio.h>

/* Gets the evidence of `request` from the mesh into `out`. Fails: as kw_connection_stream; SYSTEM
 * (writing). */
struct kw_result kw_evidence_export(struct kw_connection *connection,
                                    Keyward__V1__GetVerificationDataRequest *request,
                                    struct kw_arena *arena, FILE *out, uint64_t *ret_records,
                                    struct kw_error *err);

/* Verifies what is in these files together, each the export of another cell of the mesh, without asking
 * anybody: a fact that one cell knows may have its receipt in another. The caller frees `ret_verifier`, which
 * holds the findings. Fails: CONFIG_INVALID (unreadable, not such a file, incomplete, or of another time than
 * the first), MEMORY, CRYPTO. */
struct kw_result kw_evidence_verify_all(const char *const *paths, size_t count,
                                        const struct kw_verify_trust *trust,
                                        struct kw_verify **ret_verifier, struct kw_error *err);

/* The same of one. */
struct kw_result kw_evidence_verify(const char *path, const struct kw_verify_trust *trust,
                                    struct kw_verify **ret_verifier, struct kw_error *err);

#endif
