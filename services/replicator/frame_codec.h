/* Frames as bytes: the LinkFrame of proto/keyward/internal/v1/replication.proto, one gRPC message each.
 *
 * A frame is written in one way only, and read strictly: what is read, written again, is the same bytes.
 * One that somebody doubled, reordered or padded is no frame. What a later release adds is
 * the exception: unknown fields are passed over, and so is a frame of an unknown type, as long as they
 * are written in that one way too.
 *
 * What is refused in reading is not written: both ask the same questions.
 */
#ifndef KW_SERVICES_REPLICATOR_FRAME_CODEC_H
#define KW_SERVICES_REPLICATOR_FRAME_CODEC_H

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "services/replicator/core/frame.h"
#include "services/replicator/core/place.h"

/* One frame, and what memory it takes to read or write any: its bytes twice, or as many values as the raw
 * check lets through. */
#define KW_LINK_FRAME_LEN_MAX    (KW_BATCH_LEN_MAX + 1024U)
#define KW_LINK_FRAME_MEMORY_MAX (2U * KW_LINK_FRAME_LEN_MAX + 1024U * 1024U)

/* Versions of the link's protocol: the newest that this release speaks, and the oldest. */
#define KW_LINK_VERSION           2U
#define KW_LINK_VERSION_LOWEST    1U
#define KW_LINK_VERSION_QUESTIONS 2U /* from it on there are questions and answers */

/* What a HELLO says beside struct kw_frame: for the link, not for the core. Plain data. */
struct kw_link_hello {
    struct kw_place place;
    uint32_t version;
    uint32_t version_lowest; /* not above it, and not 0 */
};

/* The newest version that both speak; 0: none. */
uint32_t kw_link_version(const struct kw_link_hello *ours, const struct kw_link_hello *theirs);

/* Writes a frame into the arena; KW_LINK_FRAME_MEMORY_MAX is enough. `hello` is read for a HELLO alone,
 * and may else be NULL. Fails: ARGUMENT_INVALID (it would be refused in reading), MEMORY. */
struct kw_result kw_frame_encode(const struct kw_frame *frame, const struct kw_link_hello *hello,
                                 struct kw_arena *arena, struct kw_bytes *ret_bytes,
                                 struct kw_error *err);

/* Reads a frame; `ret_frame` borrows from the arena, of which KW_LINK_FRAME_MEMORY_MAX is enough. A frame
 * of a later release has the type KW_FRAME_END_. `ret_hello` is written for a HELLO alone. Records
 * are not looked into. Fails: ENCODING_INVALID, BODY_TOO_LARGE, MEMORY. */
struct kw_result kw_frame_decode(struct kw_bytes bytes, struct kw_arena *arena,
                                 struct kw_frame *ret_frame, struct kw_link_hello *ret_hello,
                                 struct kw_error *err);

#endif
