/* Why something was not done: by the server, by the way there, or by ourselves; and what to do
 * about it. */
#ifndef KW_CLI_REFUSAL_H
#define KW_CLI_REFUSAL_H

#include "cli/command.h"
#include "common/rpc/client.h"

#include <stdio.h>

#define KW_REFUSAL_TEXT_SIZE 256

/* Stands for a reason when none came, because nobody of ours answered. */
#define KW_REFUSAL_UNREACHABLE "UNREACHABLE"
extern const char kw_refusal_unreachable_cure[];

/* Plain data. Texts are cut to size. Zeroed: nothing was refused. */
struct kw_refusal {
    enum kw_exit exit;
    enum kw_reason
        reason; /* PEER_UNAVAILABLE: nobody answered; INTERNAL: one we do not know, `name` has it */
    char name[64];
    char text[KW_REFUSAL_TEXT_SIZE];
    char field[KW_REFUSAL_TEXT_SIZE]; /* of the request; empty: none */
    char request_id[64];              /* the server's name for the request; empty: none given */
    uint64_t retry_ms;                /* 0: not said */
};

/* Reads a reply that is not OK. */
void kw_refusal_from_reply(const struct kw_client_reply *reply, struct kw_refusal *ret_refusal);

/* A failure of our own: exit USAGE. */
void kw_refusal_from_error(const struct kw_error *error, struct kw_refusal *ret_refusal);

/* Reason, text, field, cure, request id: a few lines. */
void kw_refusal_print(const struct kw_refusal *refusal, FILE *out);

#endif
