/* Expanding templates. */
#include "cli/template.h"

#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <string.h>

static const char *value_of(const struct kw_template_word *words, const char *name, size_t len)
{
    for (; words->name != NULL; words++) {
        if (strlen(words->name) == len && strncmp(words->name, name, len) == 0) {
            return words->value;
        }
    }
    return NULL;
}

struct kw_result kw_template_expand(const char *template, const struct kw_template_word *words,
                                    struct kw_buf *text, struct kw_error *err)
{
    while (*template != '\0') {
        size_t len = strcspn(template, "{");
        const char *name = template + len + 1;
        const char *value;

        KW_TRY(kw_buf_append(text, KW_BYTES(template, len), err));
        if (template[len] == '\0') {
            return KW_OK;
        }
        len = strcspn(name, "}");
        value = value_of(words, name, len);
        KW_ENSURE(value != NULL && name[len] == '}', err, INTERNAL, "a template has no {%.*s}",
                  (int)len, name);
        KW_TRY(kw_buf_append(text, kw_bytes_str(value), err));
        template = name + len + 1;
    }
    return KW_OK;
}

struct kw_result kw_template_write(const char *path, const char *template,
                                   const struct kw_template_word *words, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    KW_TRY(kw_template_expand(template, words, &text, err));
    return kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&text), KW_KEYFILE_MODE_PUBLIC, err);
}
