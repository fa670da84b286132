/* canary_scan: finds byte strings in files and in the memory of other processes, all of them in one
 * pass. canary_test.py says what to look for and what a find means.
 *
 *   canary_scan PATTERNS (file PATH | memory PID)…
 *
 * PATTERNS is a file of lines of hex, 8 to 128 bytes each. Prints a line for each find, `place
 * offset pattern mapping`, and at the end `searched BYTES bytes, left out BYTES`. Every offset is
 * looked at: the eight bytes there, hashed, choose a bit of a table that holds one for each pattern.
 */
#include "common/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATTERNS_MAX    4096
#define PATTERN_LEN_MAX 128
#define PATTERN_LEN_MIN 8
#define TABLE_BITS      16
#define BLOCK_LEN       (1U << 20)
#define PAGEMAP_ENTRIES 4096
#define PAGE_IS_THERE   (3ULL << 62) /* in memory, or swapped */
#define MAPPING_LEN_MAX                                                                            \
    (1ULL << 36) /* beyond: a sanitizer's shadow, which holds no bytes of ours */

struct pattern {
    uint8_t bytes[PATTERN_LEN_MAX];
    size_t len;
    int next; /* with the same hash; -1: none */
};

static struct pattern patterns[PATTERNS_MAX];
static int pattern_count;
static int first[1U << TABLE_BITS];
static uint8_t block[BLOCK_LEN + PATTERN_LEN_MAX];
static uint64_t searched;
static uint64_t left_out;

static uint32_t hash(const uint8_t *at)
{
    uint64_t word;

    kw_copy(&word, at, sizeof(word));
    return (uint32_t)((word * 0x9e3779b97f4a7c15ULL) >> (64 - TABLE_BITS));
}

static void die(const char *what)
{
    (void)fprintf(stderr, "canary_scan: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void pattern_add(const char *hex)
{
    struct pattern *pattern = &patterns[pattern_count];
    size_t len = strspn(hex, "0123456789abcdef") / 2;
    uint32_t slot;

    if (pattern_count == PATTERNS_MAX || len < PATTERN_LEN_MIN || len > PATTERN_LEN_MAX) {
        errno = EINVAL;
        die("pattern");
    }
    for (size_t i = 0; i < len; i++) {
        const char byte[] = {hex[2 * i], hex[2 * i + 1], '\0'};

        pattern->bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    pattern->len = len;
    slot = hash(pattern->bytes);
    pattern->next = first[slot];
    first[slot] = pattern_count++;
}

static void patterns_read(const char *path)
{
    char line[2 * PATTERN_LEN_MAX + 2];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        die(path);
    }
    memset(first, 0xff, sizeof(first));
    while (fgets(line, sizeof(line), file) != NULL) {
        pattern_add(line);
    }
    (void)fclose(file);
}

/* Looks at `len` bytes; a pattern must end within them. */
static void look(const char *place, uint64_t offset, size_t len, const char *mapping)
{
    for (size_t i = 0; i + PATTERN_LEN_MIN <= len; i++) {
        for (int p = first[hash(block + i)]; p >= 0; p = patterns[p].next) {
            if (patterns[p].len <= len - i &&
                kw_bytes_equal(KW_BYTES(block + i, patterns[p].len),
                               KW_BYTES(patterns[p].bytes, patterns[p].len))) {
                (void)printf("%s %" PRIu64 " %d %s\n", place, offset + i, p, mapping);
            }
        }
    }
}

/* From `offset` to `end`, in blocks that overlap by a pattern, so that none falls between two; a
 * find in the overlap is told twice. Memory that can't be read (device, guard) is counted. */
static void range(int fd, const char *place, uint64_t offset, uint64_t end, const char *mapping)
{
    while (offset < end) {
        uint64_t want = end - offset < sizeof(block) ? end - offset : sizeof(block);
        ssize_t got = pread(fd, block, want, (off_t)offset);

        if (got <= 0) {
            left_out += end - offset;
            return;
        }
        look(place, offset, (size_t)got, mapping);
        searched += (uint64_t)got;
        if ((uint64_t)got == end - offset) {
            return;
        }
        offset += (uint64_t)got > PATTERN_LEN_MAX ? (uint64_t)got - PATTERN_LEN_MAX : (uint64_t)got;
    }
}

static void file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

    if (end < 0) {
        die(path);
    }
    range(fd, path, 0, (uint64_t)end, "-");
    (void)close(fd);
}

struct process {
    int memory;
    int pagemap; /* eight bytes a page: whether it is there */
    const char *pid;
};

/* Pages that were never touched hold nothing, and are most of a sanitizer's. */
static void touched(const struct process *process, uint64_t start, uint64_t end, const char *name)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t run = start; /* where the present run of touched pages began */

    for (uint64_t at = start; at < end;) {
        uint64_t entries[PAGEMAP_ENTRIES];
        uint64_t want = (end - at) / page < PAGEMAP_ENTRIES ? (end - at) / page : PAGEMAP_ENTRIES;
        ssize_t got = pread(process->pagemap, entries, want * sizeof(*entries),
                            (off_t)(at / page * sizeof(*entries)));

        if (got <= 0) {
            die("pagemap");
        }
        for (size_t i = 0; i < (size_t)got / sizeof(*entries); i++, at += page) {
            if ((entries[i] & PAGE_IS_THERE) == 0) {
                range(process->memory, process->pid, run, at, name);
                run = at + page;
            }
        }
    }
    range(process->memory, process->pid, run, end, name);
}

/* A line of maps: bounds, rights, offset, device, inode, name. */
static void mapping(const struct process *process, char *line)
{
    uint64_t start = 0;
    uint64_t end = 0;
    char rights[5] = "";
    int name = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &start, &end, rights, &name) <
        3) {
        die(line);
    }
    line[strcspn(line, "\n")] = '\0';
    if (rights[0] != 'r' || end - start > MAPPING_LEN_MAX || strncmp(line + name, "[vv", 3) == 0) {
        left_out += rights[0] == 'r' ? end - start : 0;
        return;
    }
    touched(process, start, end, line[name] != '\0' ? line + name : "anonymous");
}

static int proc_open(const char *pid, const char *name)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        die(path);
    }
    return fd;
}

static void memory(const char *pid)
{
    struct process process = {proc_open(pid, "mem"), proc_open(pid, "pagemap"), pid};
    FILE *maps = fdopen(proc_open(pid, "maps"), "r");
    char line[8192];

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        mapping(&process, line);
    }
    (void)fclose(maps);
    (void)close(process.memory);
    (void)close(process.pagemap);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: canary_scan PATTERNS (file PATH | memory PID)...\n");
        return 2;
    }
    patterns_read(argv[1]);
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "memory") == 0) {
            memory(argv[i + 1]);
        } else {
            file(argv[i + 1]);
        }
    }
    (void)printf("searched %" PRIu64 " bytes, left out %" PRIu64 "\n", searched, left_out);
    return EXIT_SUCCESS;
}
