/* Descriptors: the published proto files, as reflection hands them out. They are part of the
 * program (proto/CMakeLists.txt makes keyward.binpb); the internal ones are left out. */
#ifndef KW_SERVICES_GATEWAY_DESCRIPTORS_H
#define KW_SERVICES_GATEWAY_DESCRIPTORS_H

#include "common/base/bytes.h"

struct kw_descriptors;

/* Reads the embedded set. Fails: ENCODING_INVALID, MEMORY. Release by kw_descriptors_free. */
struct kw_result kw_descriptors_new(struct kw_descriptors **ret_descriptors, struct kw_error *err);
void kw_descriptors_free(struct kw_descriptors *descriptors);

/* A file is known by its place, which is the order of the set: what a file imports comes before it.
 */
#define KW_DESCRIPTORS_NONE      SIZE_MAX
#define KW_DESCRIPTORS_NAME_SIZE 128 /* of a service of ours */

size_t kw_descriptors_count(const struct kw_descriptors *descriptors);

/* The place of the file with this name ("keyward/v1/key_service.proto"), or NONE. */
size_t kw_descriptors_by_name(const struct kw_descriptors *descriptors, const char *name);

/* The place of the file that declares this fully-qualified message, enum, enum value, field, oneof,
 * service or method, or NONE. */
size_t kw_descriptors_by_symbol(const struct kw_descriptors *descriptors, const char *symbol);

/* Is `symbol` a message? */
bool kw_descriptors_has_message(const struct kw_descriptors *descriptors, const char *symbol);

/* The file as a serialised google.protobuf.FileDescriptorProto; lives as long as `descriptors`. */
struct kw_bytes kw_descriptors_file(const struct kw_descriptors *descriptors, size_t file);

/* Sets `ret_members[i]`, of kw_descriptors_count entries, for the file and all it imports. */
void kw_descriptors_closure(const struct kw_descriptors *descriptors, size_t file,
                            bool *ret_members);

/* Calls `each` with the full name of every service. */
void kw_descriptors_services(const struct kw_descriptors *descriptors,
                             void (*each)(const char *name, void *context), void *context);

#endif
