/* Files from templates, with {words} that values stand for. */
#ifndef KW_CLI_TEMPLATE_H
#define KW_CLI_TEMPLATE_H

#include "common/base/bytes.h"

struct kw_template_word {
    const char *name; /* without braces */
    const char *value;
};

/* Appends `template` to `text`, each {name} replaced by its value. `words` ends with a row without
 * name. Fails: INTERNAL (a word without value: our mistake), MEMORY. */
struct kw_result kw_template_expand(const char *template, const struct kw_template_word *words,
                                    struct kw_buf *text, struct kw_error *err);

/* The same, into a file that everybody may read. Fails: SYSTEM too. */
struct kw_result kw_template_write(const char *path, const char *template,
                                   const struct kw_template_word *words, struct kw_error *err);

#endif
