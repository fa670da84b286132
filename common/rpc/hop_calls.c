/* Table and heap. The outer side picks a free slot, so that both sides index by it; ids never
 * repeat. */
#include "common/rpc/hop_calls.h"

#include "common/rpc/methods.h"

#include <stdlib.h>

#define SLOT_BITS 16
#define SLOT_MASK 0xffffU

_Static_assert(KW_HOP_CALLS_MAX <= SLOT_MASK + 1U, "a slot number fits its bits");

static void heap_put(struct kw_hop_calls *calls, size_t i, struct kw_hop_call *call)
{
    calls->heap[i] = call;
    call->heap_index = i;
}

static void heap_up(struct kw_hop_calls *calls, size_t i)
{
    struct kw_hop_call *call = calls->heap[i];

    while (i > 0 && call->deadline_ns < calls->heap[(i - 1) / 2]->deadline_ns) {
        heap_put(calls, i, calls->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(calls, i, call);
}

static void heap_down(struct kw_hop_calls *calls, size_t i)
{
    struct kw_hop_call *call = calls->heap[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < calls->count &&
            calls->heap[child + 1]->deadline_ns < calls->heap[child]->deadline_ns) {
            child++;
        }
        if (child >= calls->count || calls->heap[child]->deadline_ns >= call->deadline_ns) {
            break;
        }
        heap_put(calls, i, calls->heap[child]);
        i = child;
    }
    heap_put(calls, i, call);
}

/* A link between cells has an ocean to cross, and is alone on its stream. */
static size_t window_of(uint32_t method)
{
    return method == KW_METHOD_LINK ? KW_LINK_CREDIT_BYTES : KW_HOP_CREDIT_BYTES;
}

static struct kw_hop_call *insert(struct kw_hop_calls *calls, uint64_t id, uint32_t method,
                                  uint64_t deadline_ns)
{
    struct kw_hop_call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    call->id = id;
    call->deadline_ns = deadline_ns;
    call->expiry = KW_E_DEADLINE_EXCEEDED;
    call->window = window_of(method);
    call->credit = (int64_t)call->window;
    calls->slots[id & SLOT_MASK] = call;
    calls->heap[calls->count] = call;
    calls->count++;
    heap_up(calls, calls->count - 1);
    return call;
}

struct kw_hop_call *kw_hop_calls_make(struct kw_hop_calls *calls, uint32_t method,
                                      uint64_t deadline_ns)
{
    size_t slot = calls->next_slot;

    if (calls->count == KW_HOP_CALLS_MAX) {
        return NULL;
    }
    while (calls->slots[slot] != NULL) { /* ends: the table is not full */
        slot = (slot + 1) % KW_HOP_CALLS_MAX;
    }
    calls->next_slot = (slot + 1) % KW_HOP_CALLS_MAX;
    calls->made++;
    return insert(calls, calls->made << SLOT_BITS | slot, method, deadline_ns);
}

struct kw_hop_call *kw_hop_calls_accept(struct kw_hop_calls *calls, uint64_t id, uint32_t method,
                                        uint64_t deadline_ns)
{
    size_t slot = id & SLOT_MASK;

    if (slot >= KW_HOP_CALLS_MAX || calls->slots[slot] != NULL) {
        return NULL;
    }
    return insert(calls, id, method, deadline_ns);
}

struct kw_hop_call *kw_hop_calls_find(const struct kw_hop_calls *calls, uint64_t id)
{
    size_t slot = id & SLOT_MASK;

    if (slot >= KW_HOP_CALLS_MAX || calls->slots[slot] == NULL || calls->slots[slot]->id != id) {
        return NULL;
    }
    return calls->slots[slot];
}

void kw_hop_calls_remove(struct kw_hop_calls *calls, struct kw_hop_call *call)
{
    size_t i = call->heap_index;
    struct kw_hop_call *last = calls->heap[calls->count - 1];

    calls->slots[call->id & SLOT_MASK] = NULL;
    calls->count--;
    if (last != call) {
        heap_put(calls, i, last);
        heap_up(calls, i);
        heap_down(calls, last->heap_index);
    }
    free(call);
}

void kw_hop_calls_expire(struct kw_hop_calls *calls, struct kw_hop_call *call,
                         enum kw_reason reason)
{
    call->deadline_ns = 0;
    call->expiry = reason;
    heap_up(calls, call->heap_index);
}

struct kw_hop_call *kw_hop_calls_first(const struct kw_hop_calls *calls)
{
    return calls->count > 0 ? calls->heap[0] : NULL;
}
