/* Each system call on files that we make ourselves fails once, with EIO and with ENOSPC: small files, key files,
 * credentials, the store's lock. Afterwards what was there is there, nothing lies about, and the next
 * try works. */
#include "common/base/file.h"
#include "common/crypto/keyfile.h"
#include "common/pki/credentials.h"
#include "tests/support/nth.h"
#include "tests/support/pki_fixture.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pki_fixture pki;
static struct pki_pair pairs[2];
static struct kw_buf keys[2];
static struct kw_buf certs[2];
static struct kw_buf ca;
static char dir[64];
static char path[96];

static void setup(void)
{
    const struct kw_spiffe partner = pki_caller(KW_ROLE_PARTNER, 7);

    /* In memory where that is to be had: thousands of syncs. */
    (void)snprintf(dir, sizeof(dir), "%s/kw-nth-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/one", dir);
    pki_fixture_init(&pki);
    pki_pem(&pki.issuing.certificate, &ca);
    for (int i = 0; i < 2; i++) {
        pairs[i] = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);
        pki_pem(&pairs[i].certificate, &certs[i]);
        cr_assert(kw_ok(kw_private_key_to_pem(&pairs[i].key, &keys[i], NULL)));
    }
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(name);
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        pki_pair_done(&pairs[i]);
        kw_buf_done(&keys[i]);
        kw_buf_done(&certs[i]);
    }
    kw_buf_done(&ca);
    pki_fixture_done(&pki);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(files_nth, .init = setup, .fini = teardown, .timeout = 120);

static void run(const char *what, void *context, uint64_t sparse, void (*attempt)(struct nth *nth))
{
    static const int errors[] = {EIO, ENOSPC};
    struct nth nth = {
        .what = what, .kind = &nth_calls, .attempt = attempt, .context = context, .sparse = sparse};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        nth_files_errno(errors[i]);
        cr_assert(lt(u64, 2, nth_run(&nth)), "%s: what was to fail was never called", what);
    }
}

/* Disarms; what was done succeeds when nothing failed, and only then. */
static void check_told(const struct nth *nth, struct kw_result result)
{
    bool fired = nth_disarm(nth);

    cr_assert(kw_ok(result) != fired, "%s, call %llu: %s failed, and it says %s", nth->what,
              (unsigned long long)nth->n, nth_failed(), kw_reason_row(result.reason)->name);
}

/* Entries of the directory, without . and .. */
static int entries(const char *name)
{
    DIR *opened = opendir(name);
    int count = -2;

    cr_assert(opened != NULL);
    while (readdir(opened) != NULL) {
        count++;
    }
    (void)closedir(opened);
    return count;
}

/* --- small files --- */

static void write_and_read(struct nth *nth)
{
    const struct kw_bytes before = kw_bytes_str("as it was");
    const struct kw_bytes after = kw_bytes_str("as it will be");
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    struct kw_error error = {0};
    struct kw_result written;

    cr_assert(kw_ok(kw_keyfile_write(AT_FDCWD, path, before, KW_KEYFILE_MODE_PRIVATE, NULL)));
    nth_arm(nth);
    written = kw_keyfile_write(AT_FDCWD, path, after, KW_KEYFILE_MODE_PRIVATE, &error);
    check_told(nth, written);
    cr_assert(kw_ok(written) || error.reason == KW_E_SYSTEM);
    cr_assert(kw_ok(kw_keyfile_read(AT_FDCWD, path, 100, true, &text, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&text), after) ||
              (!kw_ok(written) && kw_bytes_equal(kw_buf_bytes(&text), before)));
    cr_assert(eq(int, entries(dir), 1)); /* no temporary file is left */
}

Test(files_nth, a_key_file_is_the_old_or_the_new_one)
{
    run("keyfile_write", NULL, 1, write_and_read);
}

static void read_key_file(struct nth *nth)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    struct kw_error error = {0};
    struct kw_result read;

    nth_arm(nth);
    read = kw_keyfile_read(AT_FDCWD, path, 100, true, &text, &error);
    check_told(nth, read);
    cr_assert(kw_ok(read) || (error.reason == KW_E_CONFIG_INVALID && text.len == 0));
}

static void read_file(struct nth *nth)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    struct kw_error error = {0};
    struct kw_result read;

    nth_arm(nth);
    read = kw_file_read(path, 100, &text, &error);
    check_told(nth, read);
    cr_assert(kw_ok(read) || (error.reason == KW_E_CONFIG_INVALID && text.len == 0));
}

Test(files_nth, a_file_is_read_whole_or_not_at_all)
{
    cr_assert(kw_ok(
        kw_keyfile_write(AT_FDCWD, path, kw_bytes_str("a text"), KW_KEYFILE_MODE_PRIVATE, NULL)));
    run("keyfile_read", NULL, 1, read_key_file);
    run("file_read", NULL, 1, read_file);
}

/* --- credentials --- */

static struct kw_credentials_pem pem_of(int generation)
{
    return (struct kw_credentials_pem){.key = kw_buf_bytes(&keys[generation]),
                                       .cert = kw_buf_bytes(&certs[generation]),
                                       .ca = kw_buf_bytes(&ca)};
}

static bool in_use(int generation)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials loaded = {0};
    struct kw_error error = {0};

    cr_assert(kw_ok(kw_credentials_load(&loaded, path, &error)), "%s", error.message);
    return kw_bytes_equal(KW_BYTES(loaded.cert_pem.data, certs[generation].len),
                          kw_buf_bytes(&certs[generation]));
}

static void renew(struct nth *nth)
{
    const struct kw_credentials_pem before = pem_of(0);
    const struct kw_credentials_pem after = pem_of(1);
    struct kw_error error = {0};
    struct kw_result written;

    cr_assert(kw_ok(kw_credentials_write(path, &before, &error)), "%s", error.message);
    nth_arm(nth);
    written = kw_credentials_write(path, &after, &error);
    check_told(nth, written);
    cr_assert(in_use(1) || (!kw_ok(written) && in_use(0)));
    cr_assert(kw_ok(kw_credentials_write(path, &after, &error)), "%s", error.message);
    cr_assert(in_use(1));
}

Test(files_nth, credentials_are_one_generation_or_the_other)
{
    run("credentials_write", NULL, 4, renew);
}

/* --- the store's lock, and its sessions' names --- */

static struct store_fixture f;

static STORE_TEST_RUN(look)
{
    bool moved;

    KW_TRY(kw_store_moved(tx, &moved, err));
    ((struct store_test_job *)job)->number = moved;
    return KW_OK;
}

/* Opens and closes it: what failed before has left it as it was. */
static void check_has_not_moved(void)
{
    struct store_test_job job = store_test_job(&f, look, 0, NULL);
    struct kw_error error = {0};

    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, &error)), "%s", error.message);
    cr_assert(kw_ok(store_test_write(&job)));
    cr_assert(eq(i64, job.number, 0));
    store_fixture_close(&f);
}

/* The name of its session; there is one. */
static void session_name(char name[static 400])
{
    DIR *opened = opendir(f.dir);

    name[0] = '\0';
    for (struct dirent *entry = readdir(opened); entry != NULL; entry = readdir(opened)) {
        if (strncmp(entry->d_name, "db.session-", 11) == 0) {
            cr_assert(zero(chr, name[0]));
            (void)snprintf(name, 400, "%s/%s", f.dir, entry->d_name);
        }
    }
    (void)closedir(opened);
}

/* As an opening leaves it that ended between its commit and the removal of the name before. */
static void cut_short(void)
{
    char before[400];
    char name[400];
    char name_new[410];

    session_name(before);
    check_has_not_moved();
    session_name(name);
    (void)snprintf(name_new, sizeof(name_new), "%s.new", name);
    cr_assert(zero(int, rename(name, name_new)));
    cr_assert(zero(int, close(open(before, O_CREAT | O_WRONLY, 0600))));
}

static void open_store(struct nth *nth)
{
    struct kw_error error = {0};
    struct kw_result opened;

    store_fixture_init(&f);
    check_has_not_moved();
    if (nth->context != NULL) {
        cut_short();
    }
    nth_arm(nth);
    opened = store_fixture_open(&f, store_test_schema, 1, &error);
    (void)nth_disarm(nth);
    cr_assert(kw_ok(opened) || error.reason == KW_E_STORE_UNAVAILABLE ||
                  error.reason == KW_E_SYSTEM,
              "%s", error.message);
    cr_assert(kw_ok(opened) || strstr(error.message, f.dir) != NULL, "%s", error.message);
    store_fixture_close(&f);
    check_has_not_moved();
    store_fixture_done(&f);
}

Test(files_nth, a_store_that_can_not_be_opened_can_be_the_next_time_and_has_not_moved)
{
    run("store_open", NULL, 1, open_store);
}

Test(files_nth, nor_has_one_whose_last_opening_was_cut_short_too)
{
    run("store_open_again", &f, 1, open_store);
}
