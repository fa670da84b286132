/* Mutations of protobuf messages that keep them messages: by descriptor, on the wire bytes. For libFuzzer's custom
 * mutators; the bytes need not be valid to begin with. */
#ifndef KW_TESTS_FUZZ_PROTO_MUTATE_H
#define KW_TESTS_FUZZ_PROTO_MUTATE_H

#include "common/base/bytes.h"

#include <protobuf-c/protobuf-c.h>

/* Changes `size` bytes at `data` in place, to at most `size_max`; returns the new size. */
size_t kw_fuzz_proto_mutate(const ProtobufCMessageDescriptor *type, uint8_t *data, size_t size,
                            size_t size_max, unsigned seed);

/* The same for an input of one byte and then messages with their lengths, u16, before them: changes one of the
 * first four and puts its length right. */
size_t kw_fuzz_pieces_mutate(const ProtobufCMessageDescriptor *type, uint8_t *data, size_t size,
                             size_t size_max, unsigned seed);

#endif
