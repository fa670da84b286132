/* The next generation of a credentials directory: made beside the present one, complete and
 * durable, then put in its place by one rename of a link. */
#include "common/pki/credentials.h"

#include "common/base/failpoint.h"
#include "common/base/file.h"
#include "common/crypto/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENERATION_MODE 0700
#define LINK_LEN_MAX    (NAME_MAX - 8) /* leaves room for ".a" and ".new" */

/* Where the link is, by a descriptor of the directory that holds it, and the names in there. */
struct place {
    int parent;
    char link[NAME_MAX + 1];
    char link_new[NAME_MAX + 1];
    char next[NAME_MAX + 1]; /* the generation that is not in use */
};

static void place_done(struct place *place)
{
    kw_fd_close(&place->parent);
}

static struct kw_result place_open(const char *path, struct place *place, struct kw_error *err)
{
    char parent[PATH_MAX];
    char whole[PATH_MAX];
    size_t len = strlen(path);
    const char *name;

    KW_ENSURE(len > 0 && len < PATH_MAX, err, CONFIG_INVALID, "credentials path of %zu bytes", len);
    /* basename and dirname cut their argument up. */
    kw_copy(parent, path, len + 1);
    kw_copy(whole, path, len + 1);
    name = basename(whole);
    KW_ENSURE(strlen(name) <= LINK_LEN_MAX, err, CONFIG_INVALID, "credentials name is too long");
    kw_copy(place->link, name, strlen(name) + 1);
    place->parent = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    KW_ENSURE(place->parent >= 0, err, SYSTEM, "directory of %s: %s", path, strerror(errno));
    return KW_OK;
}

/* Chooses between "<link>.a" and "<link>.b": whichever the link does not name. */
static struct kw_result place_choose(struct place *place, struct kw_error *err)
{
    char target[NAME_MAX + 1];
    ssize_t len = readlinkat(place->parent, place->link, target, sizeof(target));
    bool a_in_use = len > 0 && target[len - 1] == 'a';

    KW_ENSURE(len > 0 || errno == ENOENT, err, CONFIG_INVALID, "%s is no link to credentials: %s",
              place->link, strerror(errno));
    (void)snprintf(place->next, sizeof(place->next), "%.*s.%c", LINK_LEN_MAX, place->link,
                   a_in_use ? 'b' : 'a');
    (void)snprintf(place->link_new, sizeof(place->link_new), "%.*s.new", LINK_LEN_MAX, place->link);
    return KW_OK;
}

static void dir_close(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

/* Unlinks the files of a generation, also temporary ones that a crash left. */
static bool generation_empty(int fd)
{
    KW_SCOPED(dir_close) DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    if (dir == NULL) {
        (void)close(fd);
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        bool itself = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;

        if (!itself && unlinkat(dirfd(dir), entry->d_name, 0) != 0) {
            return false;
        }
    }
    return true;
}

/* The old directory goes rather than being refilled: a reader in the middle of it finds a file
 * missing and starts again, but never mixes two generations. */
static struct kw_result generation_remove(const struct place *place, struct kw_error *err)
{
    int fd = openat(place->parent, place->next, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        return KW_OK;
    }
    KW_ENSURE(fd >= 0 && generation_empty(fd) &&
                  unlinkat(place->parent, place->next, AT_REMOVEDIR) == 0,
              err, SYSTEM, "removal of the generation %s: %s", place->next, strerror(errno));
    return KW_OK;
}

static struct kw_result generation_write(const struct place *place,
                                         const struct kw_credentials_pem *pem, struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int dir = -1;

    KW_ENSURE(mkdirat(place->parent, place->next, GENERATION_MODE) == 0, err, SYSTEM,
              "directory %s: %s", place->next, strerror(errno));
    dir = openat(place->parent, place->next, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    KW_ENSURE(dir >= 0, err, SYSTEM, "directory %s: %s", place->next, strerror(errno));
    KW_TRY(kw_keyfile_write(dir, KW_CREDENTIALS_KEY, pem->key, KW_KEYFILE_MODE_PRIVATE, err));
    KW_TRY(kw_keyfile_write(dir, KW_CREDENTIALS_CERT, pem->cert, KW_KEYFILE_MODE_PUBLIC, err));
    return kw_keyfile_write(dir, KW_CREDENTIALS_CA, pem->ca, KW_KEYFILE_MODE_PUBLIC, err);
}

static struct kw_result link_swap(const struct place *place, struct kw_error *err)
{
    KW_ENSURE(unlinkat(place->parent, place->link_new, 0) == 0 || errno == ENOENT, err, SYSTEM,
              "removal of the link %s: %s", place->link_new, strerror(errno));
    KW_ENSURE(symlinkat(place->next, place->parent, place->link_new) == 0 &&
                  renameat(place->parent, place->link_new, place->parent, place->link) == 0 &&
                  fsync(place->parent) == 0,
              err, SYSTEM, "swap of the link %s: %s", place->link, strerror(errno));
    return KW_OK;
}

struct kw_result kw_credentials_write(const char *path, const struct kw_credentials_pem *pem,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials checked = {0};
    KW_SCOPED(place_done) struct place place = {.parent = -1};

    KW_TRY(kw_credentials_from_pem(&checked, pem, err));
    KW_TRY(place_open(path, &place, err));
    KW_TRY(place_choose(&place, err));
    KW_TRY(generation_remove(&place, err));
    KW_TRY(generation_write(&place, pem, err));
    KW_FAILPOINT(KW_FP_CREDENTIALS_BEFORE_SWAP, err);
    KW_TRY(link_swap(&place, err));
    KW_FAILPOINT(KW_FP_CREDENTIALS_AFTER_SWAP, err);
    return KW_OK;
}
