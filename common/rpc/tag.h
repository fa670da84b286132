/* Inside common/rpc: what every user of the completion queue shares. Includes gRPC. */
#ifndef KW_COMMON_RPC_TAG_H
#define KW_COMMON_RPC_TAG_H

#include "common/rpc/rpc.h"

#include <grpc/grpc.h>

/* The only thing ever given to gRPC as a tag: embedded in the object it belongs to, one per
 * operation that may be outstanding. It is also the mail by which the pump thread hands the
 * completion to the loop thread. */
struct kw_rpc_tag {
    struct kw_mail mail;
    bool ok;
    void (*done)(struct kw_rpc_tag *tag, bool ok); /* loop thread */
};

#define KW_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define KW_RPC_INTEGER_ARG(name, number)                                                           \
    ((grpc_arg){.type = GRPC_ARG_INTEGER,                                                          \
                .key = (char *)(uintptr_t)(name),                                                  \
                .value = {.integer = (int)(number)}})

grpc_completion_queue *kw_rpc_queue(struct kw_rpc *rpc);
struct kw_loop *kw_rpc_loop(struct kw_rpc *rpc);
struct kw_id kw_rpc_boot_id(const struct kw_rpc *rpc);

/* Makes `tag` ready to be given to gRPC; returns it as gRPC wants it. */
void *kw_rpc_arm(struct kw_rpc_tag *tag);

/* Starts a batch whose completion goes to `tag->done`. False: gRPC refused it, no completion will
 * come. */
bool kw_rpc_start(struct kw_rpc *rpc, grpc_call *call, const grpc_op *ops, size_t count,
                  struct kw_rpc_tag *tag);

/* grpc_init with our log function and with TLS 1.2 made impossible. Balanced by kw_grpc_stop. */
void kw_grpc_start(void);
void kw_grpc_stop(void);

#endif
