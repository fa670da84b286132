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

/* Verifies a file's evidence, without asking anybody. The caller frees `ret_verifier`, which holds
 * the findings. Fails: CONFIG_INVALID (unreadable, not such a file, or incomplete), MEMORY, CRYPTO.
 */
struct kw_result kw_evidence_verify(const char *path, const struct kw_verify_trust *trust,
                                    struct kw_verify **ret_verifier, struct kw_error *err);

#endif
