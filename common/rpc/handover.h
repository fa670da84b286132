/* Inside common/rpc: what is given to gRPC by one thread and comes back to us on another.
 *
 * gRPC's own locks order the two, but it is not built for ThreadSanitizer, which does not see them. It is told here,
 * about each object that crosses; in every other build these are nothing. */
#ifndef KW_COMMON_RPC_HANDOVER_H
#define KW_COMMON_RPC_HANDOVER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KW_THREADS_WATCHED 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define KW_THREADS_WATCHED 1
#endif

#ifdef KW_THREADS_WATCHED
#include <sanitizer/tsan_interface.h>
#include <stdint.h>
#define KW_GIVEN(object) __tsan_release((void *)(uintptr_t)(object))
#define KW_TAKEN(object) __tsan_acquire((void *)(uintptr_t)(object))
#else
#define KW_GIVEN(object) ((void)(object))
#define KW_TAKEN(object) ((void)(object))
#endif

#endif
