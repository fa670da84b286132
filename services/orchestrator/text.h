/* Texts that people gave: what the API says they may be. */
#ifndef KW_SERVICES_ORCHESTRATOR_TEXT_H
#define KW_SERVICES_ORCHESTRATOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* 1 to `len_max` printable ASCII characters? */
bool kw_text_printable(const char *text, size_t len_max);

/* Characters of valid UTF-8. */
size_t kw_text_characters(const char *text);

#endif
