/* What the targets share. */
#include "tests/fuzz/fuzz.h"

#include "common/base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_LEN_MAX (1024U * 1024U)

void kw_fuzz_fail(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

void kw_fuzz_refused(struct kw_result result, const struct kw_error *err)
{
    KW_FUZZ_CHECK(result.reason > KW_E_NONE && result.reason < KW_E_COUNT_);
    KW_FUZZ_CHECK(err->reason == result.reason);
    KW_FUZZ_CHECK(err->file != NULL && err->line > 0);
    KW_FUZZ_CHECK(err->message[0] != '\0' && memchr(err->message, 0, sizeof(err->message)) != NULL);
}

bool kw_fuzz_accepted(struct kw_result result, const struct kw_error *err)
{
    if (!kw_ok(result)) {
        kw_fuzz_refused(result, err);
    }
    return kw_ok(result);
}

/* --- input --- */

struct kw_bytes kw_fuzz_bytes(struct kw_fuzz_input *input, size_t len)
{
    struct kw_bytes taken = input->rest;

    taken.len = len < taken.len ? len : taken.len;
    if (taken.len > 0) {
        input->rest = KW_BYTES(taken.data + taken.len, input->rest.len - taken.len);
    }
    return taken;
}

uint32_t kw_fuzz_u32(struct kw_fuzz_input *input)
{
    struct kw_bytes bytes = kw_fuzz_bytes(input, sizeof(uint32_t));
    uint32_t value = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | bytes.data[i];
    }
    return value;
}

uint16_t kw_fuzz_u16(struct kw_fuzz_input *input)
{
    uint16_t high = kw_fuzz_u8(input);

    return (uint16_t)(high << 8 | kw_fuzz_u8(input));
}

uint8_t kw_fuzz_u8(struct kw_fuzz_input *input)
{
    struct kw_bytes bytes = kw_fuzz_bytes(input, 1);

    return bytes.len == 1 ? bytes.data[0] : 0;
}

struct kw_bytes kw_fuzz_piece(struct kw_fuzz_input *input)
{
    return kw_fuzz_bytes(input, kw_fuzz_u16(input));
}

char *kw_fuzz_text(struct kw_bytes bytes)
{
    char *text = malloc(bytes.len + 1);

    KW_FUZZ_CHECK(text != NULL);
    kw_copy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

/* --- files --- */

static char folder[64];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_folder(void)
{
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *kw_fuzz_folder(void)
{
    if (folder[0] == '\0') {
        bool in_memory = access("/dev/shm", W_OK) == 0;

        (void)snprintf(folder, sizeof(folder), "%s/keyward-fuzz-XXXXXX",
                       in_memory ? "/dev/shm" : "/tmp");
        KW_FUZZ_CHECK(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    }
    return folder;
}

const char *kw_fuzz_file(const char *name, struct kw_bytes bytes)
{
    static char path[PATH_MAX];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", kw_fuzz_folder(), name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    KW_FUZZ_CHECK(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
    (void)close(fd);
    return path;
}

struct kw_buf kw_fuzz_load(const char *name)
{
    struct kw_buf content = {0};
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/tests/fuzz/%s", KW_SOURCE_DIR, name);
    KW_FUZZ_MUST(kw_file_read(path, FILE_LEN_MAX, &content, NULL));
    return content;
}
