/* The descriptor set itself, taken into the program by the assembler: no file to lose or to swap.
 */
#include "services/gateway/descriptors_blob.h"

__asm__(".pushsection .rodata\n"
        ".balign 8\n"
        "kw_descriptors_begin:\n"
        ".incbin \"" KW_DESCRIPTORS_FILE "\"\n"
        "kw_descriptors_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const uint8_t kw_descriptors_begin[];
extern const uint8_t kw_descriptors_end[];

struct kw_bytes kw_descriptors_blob(void)
{
    return KW_BYTES(kw_descriptors_begin, (size_t)(kw_descriptors_end - kw_descriptors_begin));
}
