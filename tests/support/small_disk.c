/* The tmpfs and the file that fills it. */
#include "tests/support/small_disk.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void filler_path(const struct small_disk *disk, char path[80])
{
    (void)snprintf(path, 80, "%s/filler", disk->dir);
}

static void leave_the_mounts_of_others(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        cr_skip("a file system of its own needs root");
    }
}

static void mount_at(struct small_disk *disk, const char *dir, size_t size)
{
    char options[64];

    (void)snprintf(options, sizeof(options), "size=%zu,mode=0700", size);
    if (mount("tmpfs", dir, "tmpfs", 0, options) != 0) {
        cr_skip("no tmpfs can be mounted");
    }
    (void)snprintf(disk->dir, sizeof(disk->dir), "%s", dir);
}

void small_disk_init(struct small_disk *disk, size_t size)
{
    char dir[] = "/tmp/kw-disk-XXXXXX";

    *disk = (struct small_disk){.dir = ""};
    leave_the_mounts_of_others();
    if (mkdtemp(dir) == NULL) {
        cr_fatal("mkdtemp");
    }
    mount_at(disk, dir, size);
}

void small_disk_over_tmp(struct small_disk *disk, size_t size)
{
    *disk = (struct small_disk){.dir = ""};
    leave_the_mounts_of_others();
    mount_at(disk, "/tmp", size);
}

void small_disk_fill(const struct small_disk *disk, size_t left)
{
    struct statvfs fs;
    char path[80];
    size_t free_bytes;
    int fd;

    filler_path(disk, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstatvfs(fd, &fs) != 0) {
        cr_fatal("filler");
    }
    free_bytes = fs.f_bavail * fs.f_frsize;
    if (free_bytes > left && posix_fallocate(fd, 0, (off_t)(free_bytes - left)) != 0) {
        cr_fatal("the disk can't be filled");
    }
    (void)close(fd);
}

void small_disk_empty(const struct small_disk *disk)
{
    char path[80];

    filler_path(disk, path);
    (void)unlink(path);
}

void small_disk_done(struct small_disk *disk)
{
    if (disk->dir[0] != '\0') {
        (void)umount2(disk->dir, MNT_DETACH);
        (void)rmdir(disk->dir); /* what was there before /tmp was covered stays */
        disk->dir[0] = '\0';
    }
}
