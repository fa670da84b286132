/* A file system of its own, of a few MiB, that a test fills up and empties. A tmpfs in a mount
 * namespace of the test's process: needs root, else the test is skipped. */
#ifndef KW_TESTS_SUPPORT_SMALL_DISK_H
#define KW_TESTS_SUPPORT_SMALL_DISK_H

#include <stddef.h>

struct small_disk {
    char dir[64]; /* "": there is none */
};

/* Skips the test where it can't be had. Before threads start. */
void small_disk_init(struct small_disk *disk, size_t size);

/* The same in place of /tmp, for fixtures that make their directories there. */
void small_disk_over_tmp(struct small_disk *disk, size_t size);

/* Takes all space but so much. */
void small_disk_fill(const struct small_disk *disk, size_t left);
void small_disk_empty(const struct small_disk *disk);

/* Accepts one that was never made. */
void small_disk_done(struct small_disk *disk);

#endif
