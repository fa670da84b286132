/* Marking, reacting, telling the loop. */
#include "services/authz/feed_heard.h"

#include "common/base/container.h"
#include "common/base/log.h"
#include "common/feed/instance.h"
#include "services/authz/invitation_table.h"
#include "services/authz/quota_table.h"

#include <stdlib.h>

/* On the writer's thread, after the commit: whoever decides from now on sees what disabled, and whoever
 * decided before is asked again. */
static void disabled_durable(struct kw_commit_hook *hook)
{
    struct kw_authz *authz = KW_CONTAINER_OF(hook, struct kw_authz, disabled);

    atomic_fetch_add(&authz->epoch, 1);
}

void kw_authz_feed_prepare(struct kw_authz *authz)
{
    authz->disabled.run = disabled_durable;
}

/* --- quotas --- */

/* On its way to the loop thread, whose the book is. */
struct quota_mail {
    struct kw_mail mail;
    struct kw_authz *authz;
    struct kw_quota quota;
};

/* There is no book any more when authz is stopping. */
static void quota_deliver(struct kw_mail *mail)
{
    struct quota_mail *told = KW_CONTAINER_OF(mail, struct quota_mail, mail);
    struct kw_quota_book *book = &told->authz->diary.quotas;
    struct kw_error error;

    if (book->buckets != NULL && !kw_ok(kw_quota_book_heard(book, &told->quota, &error))) {
        KW_LOG(WARN, "what other cells used of a quota is not counted", KW_F_ERR(&error));
    }
    free(told);
}

/* Before it is durable: what others say they used is so, whether we can keep it or not. */
static struct kw_result quota_tell(struct kw_authz *authz, const struct kw_record *merged,
                                   struct kw_error *err)
{
    struct quota_mail *told = calloc(1, sizeof(*told));

    KW_ENSURE(told != NULL, err, MEMORY, "a quota that was heard of");
    *told = (struct quota_mail){.mail = {.deliver = quota_deliver}, .authz = authz};
    if (!kw_quota_read(merged, kw_feed_instance(&authz->feed), &told->quota)) {
        free(told);
        return KW_OK; /* kw_quota_check let it in: there is none */
    }
    kw_loop_post(authz->loop, &told->mail);
    return KW_OK;
}

/* --- */

struct kw_result kw_authz_feed_heard(void *context, const struct kw_feed_heard *heard,
                                     struct kw_error *err)
{
    struct kw_authz *authz = context;

    if (heard->disables || heard->merged->table == KW_TABLE_INVITATIONS) {
        kw_tx_mark(heard->feed_tx->tx, &authz->disabled);
    }
    switch (heard->merged->table) {
    case KW_TABLE_INVITATIONS:
        return kw_invitation_react(heard->feed_tx, heard->merged, err);
    case KW_TABLE_QUOTAS:
        return quota_tell(authz, heard->merged, err);
    default:
        return KW_OK;
    }
}
