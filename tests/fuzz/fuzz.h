/* What every target shares: checks that end the process, how a refusal must look, and an input taken apart.
 *
 * A target is LLVMFuzzerTestOneInput over one parser. libFuzzer calls it in the `fuzz` preset, fuzz_main.c with each
 * file of the corpus everywhere else. Beyond not crashing it says what must hold, by KW_FUZZ_CHECK.
 */
#ifndef KW_TESTS_FUZZ_FUZZ_H
#define KW_TESTS_FUZZ_FUZZ_H

#include "common/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's, for targets that know the structure of their input; only where KW_FUZZ_ENGINE is defined. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

/* Says what did not hold and aborts, which libFuzzer takes for a crash. */
_Noreturn void kw_fuzz_fail(const char *what, const char *file, int line);

#define KW_FUZZ_CHECK(condition)                                                                   \
    ((condition) ? (void)0 : kw_fuzz_fail(#condition, __FILE__, __LINE__))

/* For what the target itself cannot do without. */
#define KW_FUZZ_MUST(expr) KW_FUZZ_CHECK(kw_ok(expr))

/* A refusal has a reason of the table, a message, and the place where it was made. */
void kw_fuzz_refused(struct kw_result result, const struct kw_error *err);

/* True: accepted. False: refused, and as a refusal must be. */
bool kw_fuzz_accepted(struct kw_result result, const struct kw_error *err);

/* An input taken apart from the front; what is missing reads as zero or empty. */
struct kw_fuzz_input {
    struct kw_bytes rest;
};

#define KW_FUZZ_INPUT(data, size) ((struct kw_fuzz_input){KW_BYTES((data), (size))})

uint8_t kw_fuzz_u8(struct kw_fuzz_input *input);
uint16_t kw_fuzz_u16(struct kw_fuzz_input *input);
uint32_t kw_fuzz_u32(struct kw_fuzz_input *input);
struct kw_bytes kw_fuzz_bytes(struct kw_fuzz_input *input, size_t len);

/* A piece with its length, u16, before it. */
struct kw_bytes kw_fuzz_piece(struct kw_fuzz_input *input);

/* The bytes as a C string, which the caller frees. It ends at the first NUL. */
char *kw_fuzz_text(struct kw_bytes bytes);

/* A folder of this process's own that is emptied and removed at its end; in memory where there is such a place.
 * Constant text. */
const char *kw_fuzz_folder(void);

/* Writes `bytes` to the file `name` in that folder, mode 0600, and returns its path. */
const char *kw_fuzz_file(const char *name, struct kw_bytes bytes);

/* A file of tests/fuzz, which must be there; the caller releases it. */
struct kw_buf kw_fuzz_load(const char *name);

#endif
