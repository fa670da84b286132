/* What the targets of evidence trust. */
#ifndef KW_TESTS_FUZZ_CHEAP_VERIFY_H
#define KW_TESTS_FUZZ_CHEAP_VERIFY_H

#include "cli/verify.h"

/* Root and checkpoint key of the honest files, made at the first call. */
const struct kw_verify_trust *kw_fuzz_evidence_trust(void);

#endif
