/* Was the file set back, in its place, to what it once was? Its inode tells of copies (backend.c), and says nothing then.
 *
 * So each opening is a session, with a random number: in the database, and as the name of an empty file beside it,
 * DATABASE.session-NUMBER. Who sets the database back leaves the name of a later session there, even by copying a whole folder
 * over this one, since that takes no file away.
 *
 *     1  NUMBER.new is made beside it
 *     2  NUMBER is committed to the database, and the number before
 *     3  all other names are removed; then .new is taken off
 *
 * Cut short before 2, the database has the number before, whose name is there, with others that have .new; before the end of 3
 * it has the one with .new, and without .new at most the one before. Both are as they were left, and who comes next does 3
 * before its own 1, so that there is never more than one such. A folder that was copied between 2 and the end of 3, and comes
 * back over a later session, is known by that one's name; over its own, by this name with .new and without it, which a
 * rename never leaves. Each step is durable before the next begins, and may be done twice. */
#include "common/store/sqlite/sqlite.h"

#include "common/base/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_SIZE  (2 * sizeof(struct kw_id) + 1)
#define PRIVATE_MODE (S_IRUSR | S_IWUSR)

static const char suffix_new[] = ".new";
static const char create_table[] = "CREATE TABLE IF NOT EXISTS store_session ("
                                   " only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
                                   " number TEXT NOT NULL, before TEXT NOT NULL)";
static const char select_numbers[] = "SELECT number, before FROM store_session";
static const char write_number[] =
    "INSERT INTO store_session (only_row, number, before) VALUES (1, $1, '')"
    " ON CONFLICT (only_row) DO UPDATE SET before = number, number = excluded.number";
static const char forget_place[] = "UPDATE store_place SET place = ''";

/* --- the names beside it --- */

struct beside {
    const char *path; /* of the database */
    DIR *dir;
    char prefix[NAME_MAX]; /* of each name */
};

static void beside_done(struct beside *beside)
{
    if (beside->dir != NULL) {
        (void)closedir(beside->dir);
    }
}

static struct kw_result beside_init(struct beside *beside, const char *path, struct kw_error *err)
{
    const char *name = path != NULL ? strrchr(path, '/') : NULL;
    char folder[PATH_MAX];
    int length;

    KW_ENSURE(name != NULL, err, INTERNAL, "the database has no folder");
    beside->path = path;
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(name + 1 - path), path);
    length = snprintf(beside->prefix, sizeof(beside->prefix), "%s.session-", name + 1);
    KW_ENSURE(length > 0 && (size_t)length + NUMBER_SIZE + sizeof(suffix_new) <= NAME_MAX, err,
              CONFIG_INVALID, "the name of %s is too long", path);
    beside->dir = opendir(folder);
    KW_ENSURE(beside->dir != NULL, err, STORE_UNAVAILABLE, "open %s: %s", folder, strerror(errno));
    return KW_OK;
}

static void name_of(const struct beside *beside, const char *number, const char *suffix,
                    char name[static NAME_MAX + 1])
{
    int length = snprintf(name, NAME_MAX + 1, "%s%s%s", beside->prefix, number, suffix);

    if (length < 0 || length > NAME_MAX) {
        name[0] = '\0'; /* none: ours fit, and those that are found are names */
    }
}

static struct kw_result sync_names(struct beside *beside, struct kw_error *err)
{
    KW_ENSURE(fsync(dirfd(beside->dir)) == 0, err, STORE_UNAVAILABLE, "sync the folder of %s: %s",
              beside->path, strerror(errno));
    return KW_OK;
}

/* The next name, behind the prefix; NULL at the end. Fails: STORE_UNAVAILABLE. */
static struct kw_result next_number(struct beside *beside, const char **ret_number,
                                    struct kw_error *err)
{
    size_t length = strlen(beside->prefix);
    const struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(beside->dir);
        KW_ENSURE(entry != NULL || errno == 0, err, STORE_UNAVAILABLE, "read the folder of %s: %s",
                  beside->path, strerror(errno));
    } while (entry != NULL && strncmp(entry->d_name, beside->prefix, length) != 0);
    *ret_number = entry != NULL ? entry->d_name + length : NULL;
    return KW_OK;
}

/* What the database has. */
struct numbers {
    char present[NUMBER_SIZE]; /* "": it is new */
    char before[NUMBER_SIZE];  /* "": none */
};

/* Which names there are. */
struct names {
    bool present;
    bool present_new; /* with .new */
    bool before;
    bool other; /* not with .new */
};

static void note_name(struct names *names, const struct numbers *numbers, const char *found)
{
    size_t length = strcspn(found, ".");
    bool is_new = strcmp(found + length, suffix_new) == 0;

    if (strlen(numbers->present) == length && strncmp(found, numbers->present, length) == 0) {
        *(is_new ? &names->present_new : &names->present) = true;
    } else if (!is_new) {
        *(strcmp(found, numbers->before) == 0 ? &names->before : &names->other) = true;
    }
}

static struct kw_result read_names(struct beside *beside, const struct numbers *numbers,
                                   struct names *ret_names, struct kw_error *err)
{
    const char *found;

    *ret_names = (struct names){.other = false};
    rewinddir(beside->dir);
    KW_TRY(next_number(beside, &found, err));
    while (found != NULL) {
        note_name(ret_names, numbers, found);
        KW_TRY(next_number(beside, &found, err));
    }
    return KW_OK;
}

/* Its own name is there, and no other one; or it was cut short, and has .new. Others with .new are of nobody. */
static bool is_as_left(const struct numbers *numbers, const struct names *names)
{
    bool named = numbers->present[0] == '\0' || names->present;

    return !names->other && (names->present_new ? !names->present : named && !names->before);
}

static struct kw_result make_name(struct beside *beside, const char *number, struct kw_error *err)
{
    char name[NAME_MAX + 1];
    int fd;

    name_of(beside, number, suffix_new, name);
    fd = openat(dirfd(beside->dir), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, PRIVATE_MODE);
    KW_ENSURE(fd >= 0, err, STORE_UNAVAILABLE, "make a session of %s: %s", beside->path,
              strerror(errno));
    (void)close(fd);
    return sync_names(beside, err);
}

static struct kw_result remove_others(struct beside *beside, const char *number,
                                      struct kw_error *err)
{
    char name[NAME_MAX + 1];
    const char *found;

    rewinddir(beside->dir);
    KW_TRY(next_number(beside, &found, err));
    while (found != NULL) {
        if (strncmp(found, number, NUMBER_SIZE - 1) != 0) {
            name_of(beside, found, "", name);
            KW_ENSURE(unlinkat(dirfd(beside->dir), name, 0) == 0, err, STORE_UNAVAILABLE,
                      "remove %s beside %s: %s", name, beside->path, strerror(errno));
        }
        KW_TRY(next_number(beside, &found, err));
    }
    return sync_names(beside, err);
}

static struct kw_result leave_one(struct beside *beside, const char *number, struct kw_error *err)
{
    char name_new[NAME_MAX + 1];
    char name[NAME_MAX + 1];
    int fd = dirfd(beside->dir);

    KW_TRY(remove_others(beside, number, err));
    name_of(beside, number, suffix_new, name_new);
    name_of(beside, number, "", name);
    KW_ENSURE(renameat(fd, name_new, fd, name) == 0, err, STORE_UNAVAILABLE,
              "rename %s beside %s: %s", name_new, beside->path, strerror(errno));
    return sync_names(beside, err);
}

/* --- the number in it --- */

static struct kw_result read_numbers(struct kw_conn *conn, struct numbers *ret_numbers,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    *ret_numbers = (struct numbers){.present = ""};
    KW_TRY(kw_sql(&conn->tx, select_numbers, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        (void)snprintf(ret_numbers->present, NUMBER_SIZE, "%s", kw_col_text(stmt, 0));
        (void)snprintf(ret_numbers->before, NUMBER_SIZE, "%s", kw_col_text(stmt, 1));
    }
    return KW_OK;
}

static struct kw_result commit_number(struct kw_conn *conn, const char *number, bool as_left,
                                      struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(&conn->tx, write_number, &stmt, err));
    kw_bind_text(stmt, 1, number);
    KW_TRY(kw_exec(stmt, NULL, err));
    if (!as_left) {
        KW_TRY(kw_sql(&conn->tx, forget_place, &stmt, err));
        KW_TRY(kw_exec(stmt, NULL, err));
    }
    kw_conn_settle(conn);
    return kw_conn_control(conn, KW_COMMIT, err);
}

/* Was it left so? One that was cut short is ended first. */
static struct kw_result look_back(struct kw_conn *conn, struct beside *beside, bool *ret_as_left,
                                  struct kw_error *err)
{
    struct numbers numbers;
    struct names names;

    KW_TRY(read_numbers(conn, &numbers, err));
    KW_TRY(read_names(beside, &numbers, &names, err));
    *ret_as_left = is_as_left(&numbers, &names);
    return *ret_as_left && names.present_new ? leave_one(beside, numbers.present, err) : KW_OK;
}

static struct kw_result begin_session(struct kw_conn *conn, struct beside *beside,
                                      struct kw_error *err)
{
    char number[NUMBER_SIZE];
    struct kw_id fresh;
    bool as_left;

    KW_TRY(kw_conn_control(conn, KW_BEGIN_WRITE, err));
    KW_TRY(conn->backend->script(conn, "store_session", create_table, err));
    KW_TRY(look_back(conn, beside, &as_left, err));
    KW_TRY(kw_id_random(&fresh, err));
    kw_hex(kw_id_bytes(&fresh), number);
    KW_TRY(make_name(beside, number, err));
    KW_TRY(commit_number(conn, number, as_left, err));
    return leave_one(beside, number, err);
}

struct kw_result kw_sqlite_session(struct kw_conn *conn, struct kw_error *err)
{
    KW_SCOPED(beside_done) struct beside beside = {0};
    struct kw_result result;

    KW_TRY(beside_init(&beside, sqlite3_db_filename(conn->db, "main"), err));
    result = begin_session(conn, &beside, err);
    kw_conn_rollback(conn);
    return result;
}
