/* A text editor's work. */
#include "cli/tour_tamper.h"

#include "common/base/file.h"
#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <string.h>

#define EVIDENCE_LEN_MAX (256U * 1024U * 1024U)
#define RECEIPT          "TYPE_RECEIPT"

/* Where the line of that receipt begins, and how long it is, its newline too. NULL: there is none. */
static const char *line_find(const char *text, unsigned number, size_t *ret_len)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        *ret_len = len + (text[len] == '\n' ? 1 : 0);
        if (memmem(text, len, RECEIPT, strlen(RECEIPT)) != NULL && --number == 0) {
            return text;
        }
        text += *ret_len;
    }
    return NULL;
}

struct kw_result kw_tour_receipt_remove(const char *path, unsigned number, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf rest = {0};
    const char *begin;
    const char *line;
    size_t len = 0;

    KW_TRY(kw_file_read(path, EVIDENCE_LEN_MAX, &text, err));
    KW_TRY(kw_buf_append(&text, KW_BYTES("", 1), err));
    begin = (const char *)text.data;
    line = line_find(begin, number, &len);
    KW_ENSURE(line != NULL, err, STATE_CONFLICT, "%s has no %u receipts", path, number);
    KW_TRY(kw_buf_append(&rest, KW_BYTES(begin, (size_t)(line - begin)), err));
    KW_TRY(kw_buf_append(&rest, kw_bytes_str(line + len), err));
    return kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&rest), KW_KEYFILE_MODE_PUBLIC, err);
}
