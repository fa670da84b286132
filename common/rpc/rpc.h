/* The process's gRPC: one completion queue, one pump thread that moves its events to the loop. */
#ifndef KW_COMMON_RPC_RPC_H
#define KW_COMMON_RPC_RPC_H

#include "common/base/id.h"
#include "common/loop/loop.h"

struct kw_rpc;

/* Starts gRPC with TLS 1.2 made impossible. Once per process, before any thread that must not
 * inherit signals. `boot_id` names this instance in every hello. Fails: SYSTEM, MEMORY. */
struct kw_result kw_rpc_new(struct kw_loop *loop, struct kw_id boot_id, struct kw_rpc **ret_rpc,
                            struct kw_error *err);

/* When every server and client of it is closed: ends the pump, then `closed` on the loop thread. */
void kw_rpc_close(struct kw_rpc *rpc, void (*closed)(void *context), void *context);

/* After the loop ended. */
void kw_rpc_free(struct kw_rpc *rpc);

#endif
