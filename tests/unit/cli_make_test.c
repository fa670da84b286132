/* Whose the directories of a mesh in containers are, how they are marked, and passwords that stores only recognise. */
#include "cli/mesh_claim.h"
#include "cli/scram.h"
#include "common/base/file.h"
#include "common/crypto/keyfile.h"
#include "tests/support/must.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kw_mesh_dir dir;

static void up(void)
{
    MUST(kw_mesh_dir_make(NULL, &dir, err));
}

static void down(void)
{
    kw_mesh_dir_remove(dir.path);
}

TestSuite(cli_make, .init = up, .fini = down);

/* What a run finds: each has an id of its own. */
struct found {
    enum kw_reason reason;
    bool whole;
    char id[2 * KW_ID_LEN + 1];
    struct kw_error error;
};

static struct found run_sized(size_t cells, bool to_its_end)
{
    struct kw_mesh_layout layout;
    struct found found = {0};
    KW_SCOPED(kw_fd_close) int lock = -1;

    MUST(kw_mesh_layout_init(&dir, 2, cells, &layout, err));
    found.reason = kw_mesh_claim(&layout, &lock, &found.whole, &found.error).reason;
    if (found.reason == KW_E_NONE && !found.whole && to_its_end) {
        MUST(kw_mesh_claim_end(&layout, err));
    }
    kw_copy(found.id, layout.id, sizeof(found.id));
    return found;
}

static struct found run(bool to_its_end)
{
    return run_sized(1, to_its_end);
}

static const char *at(const char *name)
{
    static char path[PATH_MAX];

    return kw_mesh_path(&dir, name, path);
}

static bool is_there(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static void put(const char *name)
{
    MUST(kw_keyfile_write(AT_FDCWD, at(name), kw_bytes_str("mine"), KW_KEYFILE_MODE_PUBLIC, err));
}

static void move(const char *from, const char *to)
{
    char path[PATH_MAX];

    cr_assert(eq(int, rename(kw_mesh_path(&dir, from, path), at(to)), 0));
}

Test(cli_make, each_service_has_a_directory_and_what_is_begun_is_marked)
{
    static const char *const names[] = {"officer",    "recovery",       "r1/a/gateway",
                                        "r1/a/sql",   "r2/a/redis",     "r2/a/cryptocore",
                                        "r2/a/authz", "r2/a/replicator"};

    cr_assert(eq(int, run(false).reason, KW_E_NONE));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[NAME_MAX];
        struct stat st;

        cr_assert(stat(at(names[i]), &st) == 0 && (st.st_mode & 0777) == 0700, "%s", names[i]);
        (void)snprintf(name, sizeof(name), "%s/" KW_MESH_MARK_BEGUN, names[i]);
        cr_expect(is_there(name), "%s", name);
    }
}

Test(cli_make, what_is_whole_is_found_and_left_alone)
{
    cr_assert(not(run(true).whole));
    put("r1/a/authz/settings.yaml");
    cr_assert(run(true).whole);
    cr_expect(is_there("r1/a/authz/settings.yaml"));
    cr_expect(not(is_there("r1/a/authz/" KW_MESH_MARK_BEGUN)));
}

Test(cli_make, what_was_begun_is_removed)
{
    cr_assert(eq(int, run(false).reason, KW_E_NONE));
    put("r1/a/authz/settings.yaml");
    put("officer/key.pem");
    cr_assert(eq(int, mkdir(at("recovery/making"), 0700), 0));
    put("recovery/making/pin");
    cr_assert(not(run(false).whole));
    cr_expect(not(is_there("r1/a/authz/settings.yaml")));
    cr_expect(not(is_there("officer/key.pem")));
    cr_expect(not(is_there("recovery/making")));
}

Test(cli_make, a_run_that_ended_while_it_marked_is_finished)
{
    cr_assert(not(run(true).whole));
    move("r2/a/sql/" KW_MESH_MARK, "r2/a/sql/" KW_MESH_MARK_BEGUN);
    put("r2/a/sql/init.sql");
    cr_assert(run(true).whole);
    cr_expect(is_there("r2/a/sql/" KW_MESH_MARK));
    cr_expect(is_there("r2/a/sql/init.sql"), "whole it was");
}

Test(cli_make, files_of_somebody_else_are_refused)
{
    static const char *const names[] = {"notes.txt",       "r1/notes.txt",
                                        "r2/a/notes.txt",  "r2/a/redis/dump.rdb",
                                        "officer/key.pem", "recovery/key.pem"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_assert(eq(int, run(false).reason, KW_E_NONE));
        (void)unlink(at("r2/a/redis/" KW_MESH_MARK_BEGUN));
        (void)unlink(at("officer/" KW_MESH_MARK_BEGUN));
        (void)unlink(at("recovery/" KW_MESH_MARK_BEGUN));
        put(names[i]);
        cr_expect(eq(int, run(true).reason, KW_E_CONFIG_INVALID), "%s", names[i]);
        cr_expect(is_there(names[i]), "%s", names[i]);
        (void)unlink(at(names[i]));
    }
}

Test(cli_make, a_volume_may_have_what_file_systems_have)
{
    cr_assert(eq(int, run(false).reason, KW_E_NONE));
    (void)unlink(at("r1/a/sql/" KW_MESH_MARK_BEGUN));
    cr_assert(eq(int, mkdir(at("r1/a/sql/lost+found"), 0700), 0));
    put("r1/a/sql/" KW_MESH_MARK_BEGUN ".0123456789abcdef"); /* a mark whose writer died */
    cr_assert(eq(int, run(true).reason, KW_E_NONE));
    cr_expect(is_there("r1/a/sql/lost+found"));
    cr_expect(not(is_there("r1/a/sql/" KW_MESH_MARK_BEGUN ".0123456789abcdef")));
}

/* --- marks that are none: who has a volume can put anything there --- */

static const char *const marks[] = {
    "officer/" KW_MESH_MARK,
    "officer/" KW_MESH_MARK_BEGUN,
    "r2/a/authz/" KW_MESH_MARK,
    "r2/a/authz/" KW_MESH_MARK_BEGUN,
};

/* One that was begun, and one volume of it without any mark. */
static void begin_but(size_t mark)
{
    cr_assert(eq(int, run(false).reason, KW_E_NONE));
    (void)unlink(at(marks[mark & ~(size_t)1]));
    (void)unlink(at(marks[mark | 1]));
}

static void expect_refused(const char *mark)
{
    struct found found = run(true);

    cr_expect(eq(int, found.reason, KW_E_CONFIG_INVALID), "%s", mark);
    cr_expect(strstr(found.error.message, "somebody else") != NULL, "%s: %s", mark,
              found.error.message);
    cr_expect(strstr(found.error.message, "mine") == NULL, "%s: %s", mark, found.error.message);
}

Test(cli_make, a_mark_that_is_a_link_is_not_followed_and_what_it_leads_to_not_told)
{
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        char secret[PATH_MAX];

        begin_but(i);
        put("r1/a/gateway/secret");
        cr_assert(
            eq(int, symlink(kw_mesh_path(&dir, "r1/a/gateway/secret", secret), at(marks[i])), 0));
        expect_refused(marks[i]);
        (void)unlink(at(marks[i]));
    }
}

Test(cli_make, a_mark_that_leads_nowhere_is_none)
{
    begin_but(0);
    cr_assert(eq(int, symlink("nowhere", at(marks[0])), 0));
    expect_refused(marks[0]);
}

Test(cli_make, a_mark_that_is_a_pipe_is_not_waited_for, .timeout = 30)
{
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        begin_but(i);
        cr_assert(eq(int, mkfifo(at(marks[i]), 0600), 0));
        expect_refused(marks[i]);
        (void)unlink(at(marks[i]));
    }
}

/* --- never a mixture --- */

Test(cli_make, a_directory_that_was_lost_is_not_made_anew)
{
    cr_assert(not(run(true).whole));
    (void)unlink(at("r1/a/authz/" KW_MESH_MARK));
    cr_expect(eq(int, run(true).reason, KW_E_CONFIG_INVALID));
}

Test(cli_make, the_rest_of_a_mesh_whose_officer_was_lost_is_not_made_anew)
{
    cr_assert(not(run(true).whole));
    (void)unlink(at("officer/" KW_MESH_MARK));
    cr_expect(eq(int, run(true).reason, KW_E_CONFIG_INVALID));
    cr_expect(is_there("r1/a/authz/" KW_MESH_MARK));
}

Test(cli_make, a_part_of_another_mesh_is_refused)
{
    cr_assert(not(run(true).whole));
    put("r1/a/authz/" KW_MESH_MARK); /* of another one */
    cr_expect(eq(int, run(true).reason, KW_E_CONFIG_INVALID));
}

Test(cli_make, a_mesh_of_another_size_is_refused)
{
    cr_assert(not(run(true).whole));
    cr_expect(eq(int, run_sized(2, true).reason, KW_E_CONFIG_INVALID));
    cr_expect(not(is_there("r1/b")), "nothing is made for it");
}

Test(cli_make, two_runs_at_once_are_one_too_many)
{
    struct kw_mesh_layout layout;
    KW_SCOPED(kw_fd_close) int lock = -1;
    bool whole;

    MUST(kw_mesh_layout_init(&dir, 2, 1, &layout, err));
    MUST(kw_mesh_claim(&layout, &lock, &whole, err));
    cr_expect(eq(int, run(true).reason, KW_E_CONFIG_INVALID));
}

/* --- passwords --- */

/* RFC 7677, 3: the password "pencil", and the salt of that exchange; the keys were computed by Python's hashlib. */
Test(cli_make, a_password_is_known_by_scrams_verifier)
{
    static const uint8_t salt[KW_SCRAM_SALT_LEN] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
                                                    0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
    KW_SCOPED(kw_secret_done) struct kw_secret password = {0};
    char text[KW_SCRAM_VERIFIER_SIZE];

    MUST(kw_secret_copy(&password, kw_bytes_str("pencil"), err));
    MUST(kw_scram_verifier(&password, salt, text, err));
    cr_assert(eq(str, text,
                 "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                 "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="));
}
