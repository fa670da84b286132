/* A hash table by grant, and the list of what is not yet written. */
#include "services/authz/quota_book.h"

#include "common/base/codec.h"
#include "common/base/limits.h"

#include <stdlib.h>

struct kw_quota_entry {
    struct kw_quota quota;
    struct kw_quota_entry *next; /* in its bucket */
    struct kw_quota_entry *next_changed;
    bool changed;
};

struct kw_result kw_quota_book_init(struct kw_quota_book *book, struct kw_error *err)
{
    book->buckets = calloc(KW_QUOTA_BUCKETS, sizeof(struct kw_quota_entry *));
    KW_ENSURE(book->buckets != NULL, err, MEMORY, "quotas");
    return KW_OK;
}

void kw_quota_book_done(struct kw_quota_book *book)
{
    for (size_t i = 0; book->buckets != NULL && i < KW_QUOTA_BUCKETS; i++) {
        struct kw_quota_entry *entry = book->buckets[i];

        while (entry != NULL) {
            struct kw_quota_entry *next = entry->next;

            free(entry);
            entry = next;
        }
    }
    free(book->buckets);
    *book = (struct kw_quota_book){0};
}

/* The last bytes of an id are random, whatever its version. */
static struct kw_quota_entry **bucket_of(const struct kw_quota_book *book, struct kw_id grant)
{
    uint32_t hash = kw_be32_load(grant.bytes + KW_ID_LEN - sizeof(hash));

    return &book->buckets[hash & (KW_QUOTA_BUCKETS - 1)];
}

static struct kw_quota_entry *entry_find(const struct kw_quota_book *book, struct kw_id grant)
{
    struct kw_quota_entry *entry = *bucket_of(book, grant);

    while (entry != NULL && !kw_id_equal(entry->quota.grant, grant)) {
        entry = entry->next;
    }
    return entry;
}

static struct kw_result entry_get(struct kw_quota_book *book, struct kw_id grant,
                                  struct kw_quota_entry **ret_entry, struct kw_error *err)
{
    struct kw_quota_entry **bucket = bucket_of(book, grant);
    struct kw_quota_entry *entry = entry_find(book, grant);

    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        KW_ENSURE(entry != NULL, err, MEMORY, "a quota");
        entry->quota.grant = grant;
        entry->next = *bucket;
        *bucket = entry;
    }
    *ret_entry = entry;
    return KW_OK;
}

static void note_change(struct kw_quota_book *book, struct kw_quota_entry *entry)
{
    if (!entry->changed) {
        entry->changed = true;
        entry->next_changed = book->changed;
        book->changed = entry;
    }
}

struct kw_result kw_quota_book_restore(struct kw_quota_book *book, const struct kw_quota *quota,
                                       struct kw_error *err)
{
    struct kw_quota_entry *entry;

    KW_TRY(entry_get(book, quota->grant, &entry, err));
    entry->quota = *quota;
    return KW_OK;
}

struct kw_result kw_quota_book_heard(struct kw_quota_book *book, const struct kw_quota *quota,
                                     struct kw_error *err)
{
    struct kw_quota_entry *entry;

    KW_TRY(entry_get(book, quota->grant, &entry, err));
    if (quota->window_start_ms > entry->quota.window_start_ms) {
        entry->quota = *quota;
    } else if (quota->window_start_ms == entry->quota.window_start_ms &&
               quota->others > entry->quota.others) {
        entry->quota.others = quota->others;
    }
    return KW_OK;
}

struct kw_quota kw_quota_book_get(const struct kw_quota_book *book,
                                  const struct kw_grant_row *grant)
{
    const struct kw_quota_entry *entry = entry_find(book, grant->id);

    return entry != NULL ? entry->quota : (struct kw_quota){.grant = grant->id};
}

struct kw_result kw_quota_book_take(struct kw_quota_book *book, const struct kw_grant_row *grant,
                                    uint64_t now_ms, struct kw_error *err)
{
    struct kw_quota_entry *entry;

    if (grant->max_operations == 0) {
        return KW_OK;
    }
    KW_TRY(entry_get(book, grant->id, &entry, err));
    KW_ENSURE(kw_quota_take(grant, &entry->quota, now_ms), err, QUOTA_EXCEEDED, "quota_exceeded");
    note_change(book, entry);
    return KW_OK;
}

void kw_quota_book_give_back(struct kw_quota_book *book, const struct kw_grant_row *grant,
                             uint64_t taken_ms)
{
    struct kw_quota_entry *entry = entry_find(book, grant->id);

    if (grant->max_operations != 0 && entry != NULL) {
        kw_quota_give_back(grant, &entry->quota, taken_ms);
        note_change(book, entry);
    }
}

size_t kw_quota_book_changes(struct kw_quota_book *book, struct kw_quota *quotas, size_t max)
{
    size_t count = 0;

    while (count < max && book->changed != NULL) {
        struct kw_quota_entry *entry = book->changed;

        book->changed = entry->next_changed;
        entry->changed = false;
        quotas[count++] = entry->quota;
    }
    return count;
}
