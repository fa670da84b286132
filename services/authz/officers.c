/* Reading, checking, registering. */
#include "services/authz/officers.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/pki/trust.h"
#include "services/authz/officer_table.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CA_FILE      "ca-operators.pem"
#define FILE_LEN_MAX (64 * 1024)
#define PATH_SIZE    4096
#define PAGE_LEN     64

/* What every file is checked against. */
struct reading {
    const struct kw_authz_config *config;
    struct kw_trust trust;
    enum kw_caller_role role;
    uint64_t now_ms;
    size_t files; /* read so far */
};

void kw_officers_done(struct kw_officers *officers)
{
    free(officers->rows);
    *officers = (struct kw_officers){0};
}

static struct kw_result add(struct kw_officers *officers, const struct kw_certificate_row *row,
                            struct kw_error *err)
{
    if (officers->count == officers->capacity) {
        size_t capacity = officers->capacity > 0 ? 2 * officers->capacity : PAGE_LEN;
        struct kw_certificate_row *rows = realloc(officers->rows, capacity * sizeof(*rows));

        KW_ENSURE(rows != NULL, err, MEMORY, "%zu officers", capacity);
        officers->rows = rows;
        officers->capacity = capacity;
    }
    officers->rows[officers->count++] = *row;
    return KW_OK;
}

static struct kw_result leaf_check(const struct reading *reading, const struct kw_certificate *leaf,
                                   struct kw_certificate_row *row, struct kw_error *err)
{
    struct kw_validity validity;
    struct kw_spiffe id;

    KW_TRY(kw_certificate_identity(leaf, reading->config->trust_domain, &id, err));
    KW_ENSURE(id.role == KW_ROLE_OPERATOR, err, CONFIG_INVALID, "the certificate of a %s",
              kw_role_name(id.role));
    KW_TRY(kw_certificate_validity(leaf, &validity, err));
    KW_TRY(kw_trust_verify(&reading->trust, leaf, NULL, KW_PURPOSE_CLIENT, validity.not_before_ms,
                           err));
    KW_TRY(kw_certificate_fingerprint(leaf, row->fingerprint, err));
    row->owner = id.id;
    row->start_ms = validity.not_before_ms;
    row->expire_ms = validity.not_after_ms;
    return KW_OK;
}

static struct kw_result file_read(struct reading *reading, const char *path,
                                  struct kw_officers *officers, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_certificate_row row = {
        .name = "", .role = reading->role, .created_ms = reading->now_ms};
    struct kw_error inner = {0};
    struct kw_result result;

    KW_TRY(kw_file_read(path, FILE_LEN_MAX, &pem, err));
    result = kw_certificate_from_pem(&leaf, kw_buf_bytes(&pem), &inner);
    if (kw_ok(result)) {
        result = leaf_check(reading, &leaf, &row, &inner);
    }
    KW_ENSURE(kw_ok(result), err, CONFIG_INVALID, "%s: %s", path, inner.message);
    reading->files++;
    if (row.expire_ms <= reading->now_ms) {
        KW_LOG(WARN, "officer's certificate has expired", KW_F_STR("file", path));
        return KW_OK;
    }
    return add(officers, &row, err);
}

static bool is_pem(const char *name)
{
    size_t len = strlen(name);
    size_t suffix = strlen(".pem");

    return len > suffix && strcmp(name + len - suffix, ".pem") == 0;
}

static struct kw_result entries_read(DIR *dir, struct reading *reading, const char *path,
                                     struct kw_officers *officers, struct kw_error *err)
{
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        char file[PATH_SIZE];
        int len = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);

        KW_ENSURE(len > 0 && (size_t)len < sizeof(file), err, CONFIG_INVALID, "a path too long");
        if (is_pem(entry->d_name)) {
            KW_TRY(file_read(reading, file, officers, err));
        }
    }
    return KW_OK;
}

static struct kw_result directory_read(struct reading *reading, const char *path,
                                       struct kw_officers *officers, struct kw_error *err)
{
    struct kw_result result;
    DIR *dir;

    if (path == NULL) {
        return KW_OK;
    }
    dir = opendir(path);
    KW_ENSURE(dir != NULL, err, CONFIG_INVALID, "%s cannot be read", path);
    result = entries_read(dir, reading, path, officers, err);
    (void)closedir(dir);
    return result;
}

/* An empty list is a volume that is not there rather than a house without operators: whoever is not
 * listed is revoked, for good. */
static struct kw_result lists_read(struct reading *reading, struct kw_officers *officers,
                                   struct kw_error *err)
{
    reading->role = KW_CALLER_OPERATOR;
    KW_TRY(directory_read(reading, reading->config->officers_dir, officers, err));
    KW_ENSURE(reading->files > 0, err, CONFIG_INVALID, "no operator's certificate in %s",
              reading->config->officers_dir);
    reading->role = KW_CALLER_AUDITOR;
    return directory_read(reading, reading->config->auditors_dir, officers, err);
}

struct kw_result kw_officers_load(const struct kw_authz_config *config, uint64_t now_ms,
                                  struct kw_officers *officers, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    struct reading reading = {.config = config, .now_ms = now_ms};
    struct kw_result result;
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s/%s", config->pki_dir, CA_FILE);
    KW_TRY(kw_file_read(path, FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_trust_from_pem(&reading.trust, kw_buf_bytes(&pem), err));
    result = lists_read(&reading, officers, err);
    kw_trust_done(&reading.trust);
    return result;
}

/* --- on the store's thread --- */

static bool listed(const struct kw_officers *officers, const uint8_t *fingerprint)
{
    for (size_t i = 0; i < officers->count; i++) {
        if (kw_bytes_equal(KW_BYTES_OF(officers->rows[i].fingerprint),
                           KW_BYTES(fingerprint, KW_SHA256_LEN))) {
            return true;
        }
    }
    return false;
}

/* Who was on our list and is no longer is revoked, everywhere. Other cells' officers are not ours to
 * judge. */
static struct kw_result revoke_others(const struct kw_officers *officers, uint64_t now_ms,
                                      const struct kw_feed_tx *feed_tx, struct kw_error *err)
{
    uint8_t page[PAGE_LEN][KW_SHA256_LEN];
    uint8_t after[KW_SHA256_LEN] = {0};
    size_t count;

    do {
        KW_TRY(kw_officer_list(feed_tx->tx, KW_BYTES_OF(after), PAGE_LEN, page, &count, err));
        for (size_t i = 0; i < count; i++) {
            kw_copy(after, page[i], sizeof(after));
            if (!listed(officers, page[i])) {
                KW_TRY(kw_certificate_revoke(feed_tx, page[i], now_ms, err));
                KW_TRY(kw_officer_delete(feed_tx->tx, page[i], err));
            }
        }
    } while (count == PAGE_LEN);
    return KW_OK;
}

struct kw_result kw_officers_register(const struct kw_officers *officers, uint64_t now_ms,
                                      const struct kw_feed_tx *feed_tx, struct kw_error *err)
{
    for (size_t i = 0; i < officers->count; i++) {
        const struct kw_certificate_row *row = &officers->rows[i];
        struct kw_certificate_row present;
        bool found;

        KW_TRY(kw_certificate_insert(feed_tx, row, err));
        KW_TRY(kw_officer_insert(feed_tx->tx, row->fingerprint, err));
        KW_TRY(kw_certificate_find(feed_tx->tx, row->fingerprint, &present, &found, err));
        KW_ENSURE(found && !present.revoked && present.role == row->role, err, CONFIG_INVALID,
                  "an officer's certificate was revoked before, or registered in another role");
    }
    return revoke_others(officers, now_ms, feed_tx, err);
}
