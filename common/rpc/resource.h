/* Resource names and request ids of the public API (proto/README.md): parsing and making, in one
 * place.
 *
 *     partners/prt_…/grants/grt_…      a pattern: collection words, each followed by one id
 */
#ifndef KW_COMMON_RPC_RESOURCE_H
#define KW_COMMON_RPC_RESOURCE_H

#include "common/base/id.h"

enum kw_resource {
    KW_RESOURCE_PARTNER,             /* partners/prt */
    KW_RESOURCE_PARTNER_GRANT,       /* partners/prt/grants/grt */
    KW_RESOURCE_PARTNER_INVITATION,  /* partners/prt/invitations/inv */
    KW_RESOURCE_PARTNER_CERTIFICATE, /* partners/prt/certificates/crt */
    KW_RESOURCE_STATION,             /* stations/sta */
    KW_RESOURCE_STATION_INVITATION,  /* stations/sta/invitations/inv */
    KW_RESOURCE_STATION_CERTIFICATE, /* stations/sta/certificates/crt */
    KW_RESOURCE_OPERATOR,            /* operators/opr */
    KW_RESOURCE_PRODUCT,             /* products/prd */
    KW_RESOURCE_BATCH,               /* batches/bat */
    KW_RESOURCE_DEVICE,              /* devices/dev */
    KW_RESOURCE_KEY,                 /* devices/dev/keys/key */
    KW_RESOURCE_RECEIPT,             /* receipts/rcp */
    KW_RESOURCE_COUNT_,
};

#define KW_RESOURCE_NAME_SIZE 128
#define KW_RESOURCE_IDS_MAX   2

/* The ids in a name, outermost first. */
struct kw_resource_ids {
    struct kw_id id[KW_RESOURCE_IDS_MAX];
};

/* Reads `name` as a name of this kind. Fails: ARGUMENT_INVALID; the message names the pattern. */
struct kw_result kw_resource_parse(enum kw_resource kind, const char *name,
                                   struct kw_resource_ids *ret_ids, struct kw_error *err);

/* Writes a name; `text` has KW_RESOURCE_NAME_SIZE bytes. Returns `text`. */
char *kw_resource_name(enum kw_resource kind, const struct kw_resource_ids *ids, char *text);

/* The same for kinds with one id. */
char *kw_resource_name1(enum kw_resource kind, struct kw_id id, char *text);

/* A request_id: UUID of version 4 or 7 in its 36-character lower-case form. Fails:
 * ARGUMENT_INVALID. */
struct kw_result kw_request_id_parse(const char *text, struct kw_id *ret_id, struct kw_error *err);

#define KW_REQUEST_ID_TEXT_SIZE 37
char *kw_request_id_text(struct kw_id id, char *text);

#endif
