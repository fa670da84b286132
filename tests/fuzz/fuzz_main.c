/* The corpus as a regression test: runs the target over every file of a folder, and, with --lengths, over each honest
 * file ("seed-…") with boundary values written over every place where a length could be.
 *
 *     <target>_fuzz [--lengths] FOLDER…
 *
 * Compiled in where libFuzzer is not. Prints how much it ran; a crash or a failed check is the test's failure.
 */
#include "tests/fuzz/fuzz.h"

#include "common/base/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_LEN_MAX (4U * 1024U * 1024U)
#define SWEEP_LEN_MAX                                                                              \
    700U /* honest files above this are only replayed: the sweep is for small ones */

struct replay {
    bool lengths;
    size_t files;
    size_t runs;
};

/* The target gets memory of exactly this size, so that a byte read too far is seen. */
static void run_one(struct replay *replay, struct kw_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);

    KW_FUZZ_CHECK(copy != NULL);
    kw_copy(copy, bytes.data, bytes.len);
    (void)LLVMFuzzerTestOneInput(copy, bytes.len);
    free(copy);
    replay->runs++;
}

/* Writes `value` at `at` in `width` bytes, big-endian, runs, and puts the old bytes back. */
static void run_with(struct replay *replay, struct kw_buf *buf, size_t at, size_t width,
                     uint32_t value)
{
    uint8_t old[sizeof(uint32_t)];

    if (buf->len - at < width) {
        return;
    }
    kw_copy(old, buf->data + at, width);
    for (size_t i = 0; i < width; i++) {
        buf->data[at + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
    run_one(replay, kw_buf_bytes(buf));
    kw_copy(buf->data + at, old, width);
}

/* 0, 1, one less, as much as, and one more than what is left, and the ends of what fits: at every place. */
static void sweep(struct replay *replay, struct kw_buf *buf)
{
    for (size_t at = 0; at < buf->len; at++) {
        uint32_t left = (uint32_t)(buf->len - at);
        const uint32_t narrow[] = {0, 1, left - 1, left, left + 1, 0x7fff, 0x8000, 0xffff};
        const uint32_t wide[] = {0x7fffffff, 0x80000000, 0xffffffff};

        for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
            run_with(replay, buf, at, 1, narrow[i]);
            run_with(replay, buf, at, 2, narrow[i]);
        }
        for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
            run_with(replay, buf, at, 4, wide[i]);
        }
        run_one(replay, KW_BYTES(buf->data, at)); /* cut here */
    }
}

static void replay_file(struct replay *replay, const char *folder, const char *name)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    KW_FUZZ_MUST(kw_file_read(path, FILE_LEN_MAX, &content, NULL));
    run_one(replay, kw_buf_bytes(&content));
    if (replay->lengths && strncmp(name, "seed-", strlen("seed-")) == 0 &&
        content.len <= SWEEP_LEN_MAX) {
        sweep(replay, &content);
    }
    replay->files++;
}

static void replay_folder(struct replay *replay, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    KW_FUZZ_CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            replay_file(replay, folder, entry->d_name);
        }
    }
    (void)closedir(dir);
}

int main(int argc, char **argv)
{
    struct replay replay = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--lengths") == 0) {
            replay.lengths = true;
        } else {
            replay_folder(&replay, argv[i]);
        }
    }
    (void)printf("%zu files, %zu runs\n", replay.files, replay.runs);
    return replay.files > 0 ? 0 : 1;
}
