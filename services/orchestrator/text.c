/* Rules for texts. */
#include "services/orchestrator/text.h"

#include <string.h>

#define CONTINUATION_MASK 0xc0U
#define CONTINUATION      0x80U

bool kw_text_printable(const char *text, size_t len_max)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return len >= 1 && len <= len_max;
}

size_t kw_text_characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & CONTINUATION_MASK) != CONTINUATION ? 1 : 0;
    }
    return count;
}
