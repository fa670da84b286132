/* What the pen tests share: an AES hook by OpenSSL, the vector files, a pen in a known state. */
#ifndef KW_TESTS_UNIT_PEN_TEST_SUPPORT_H
#define KW_TESTS_UNIT_PEN_TEST_SUPPORT_H

#include <jansson.h>

#include "sdk/pen/keyward_pen.h"

#define PEN_BYTES_MAX 512

struct pen_bytes {
    uint8_t data[PEN_BYTES_MAX];
    size_t size;
};

/* AES that works, and AES whose `*blocks_left` blocks work before the engine fails. */
extern const struct kw_pen_aes pen_aes;
struct kw_pen_aes pen_aes_failing_after(unsigned *blocks_left);

/* tests/vectors/<file>; kept until the test process ends. */
const json_t *pen_vectors(const char *file);

/* A hex field as bytes, a number field; a missing or malformed one fails the test. */
struct pen_bytes pen_hex(const json_t *object, const char *name);
uint32_t pen_number(const json_t *object, const char *name);

void pen_assert_bytes(const uint8_t *got, struct pen_bytes want);

/* Handshake vector `index` of pen.json, and the pen it belongs to. */
const json_t *pen_handshake(size_t index);
struct kw_pen_device pen_device(const json_t *handshake);

/* Runs the vector's M1 (M2 is checked), and M1 with M3. The device keeps its counter at 0 before.
 */
void pen_session_await(struct kw_pen_session *session, struct kw_pen_device *device,
                       const json_t *handshake);
void pen_session_open(struct kw_pen_session *session, struct kw_pen_device *device,
                      const json_t *handshake);

#endif
