/* The set is unpacked once. A look-up walks it: a name is compared part by part with the package,
 * then with what the file declares, so that no table of names is needed. */
#include "services/gateway/descriptors.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "services/gateway/descriptors_blob.h"

#include <stdio.h>
#include <stdlib.h>

#define INTERNAL_PREFIX "keyward/internal/"

struct file {
    const Google__Protobuf__FileDescriptorProto *proto;
    struct kw_buf packed;
};

struct kw_descriptors {
    Google__Protobuf__FileDescriptorSet *set;
    struct file *files;
    size_t count;
};

/* --- making --- */

static bool is_internal(const Google__Protobuf__FileDescriptorProto *proto)
{
    return strncmp(proto->name, INTERNAL_PREFIX, strlen(INTERNAL_PREFIX)) == 0;
}

static struct kw_result add_file(struct kw_descriptors *descriptors,
                                 const Google__Protobuf__FileDescriptorProto *proto,
                                 struct kw_error *err)
{
    struct file *file = &descriptors->files[descriptors->count++];
    size_t len = google__protobuf__file_descriptor_proto__get_packed_size(proto);

    file->proto = proto;
    KW_TRY(kw_buf_reserve(&file->packed, len, err));
    file->packed.len = google__protobuf__file_descriptor_proto__pack(proto, file->packed.data);
    return KW_OK;
}

static struct kw_result load(struct kw_descriptors *descriptors, struct kw_error *err)
{
    struct kw_bytes blob = kw_descriptors_blob();

    descriptors->set = google__protobuf__file_descriptor_set__unpack(NULL, blob.len, blob.data);
    KW_ENSURE(descriptors->set != NULL, err, ENCODING_INVALID, "the embedded descriptor set");
    descriptors->files = calloc(descriptors->set->n_file, sizeof(*descriptors->files));
    KW_ENSURE(descriptors->files != NULL, err, MEMORY, "descriptors");
    for (size_t i = 0; i < descriptors->set->n_file; i++) {
        if (!is_internal(descriptors->set->file[i])) {
            KW_TRY(add_file(descriptors, descriptors->set->file[i], err));
        }
    }
    return KW_OK;
}

struct kw_result kw_descriptors_new(struct kw_descriptors **ret_descriptors, struct kw_error *err)
{
    struct kw_descriptors *descriptors = calloc(1, sizeof(*descriptors));
    struct kw_result loaded;

    KW_ENSURE(descriptors != NULL, err, MEMORY, "descriptors");
    loaded = load(descriptors, err);
    if (!kw_ok(loaded)) {
        kw_descriptors_free(descriptors);
        return loaded;
    }
    *ret_descriptors = descriptors;
    return KW_OK;
}

void kw_descriptors_free(struct kw_descriptors *descriptors)
{
    if (descriptors == NULL) {
        return;
    }
    for (size_t i = 0; i < descriptors->count; i++) {
        kw_buf_done(&descriptors->files[i].packed);
    }
    free(descriptors->files);
    if (descriptors->set != NULL) {
        google__protobuf__file_descriptor_set__free_unpacked(descriptors->set, NULL);
    }
    free(descriptors);
}

/* --- names --- */

/* Takes `part` and, if more follows, a dot from the front of `*rest`. */
static bool take(const char **rest, const char *part)
{
    size_t len = strlen(part);

    if (strncmp(*rest, part, len) != 0 || ((*rest)[len] != '.' && (*rest)[len] != '\0')) {
        return false;
    }
    *rest += len + ((*rest)[len] == '.' ? 1 : 0);
    return true;
}

/* Is `rest` exactly `name`? */
static bool is_last(const char *rest, const char *name)
{
    return strcmp(rest, name) == 0;
}

/* An enum's values are siblings of the enum, not children of it. */
static bool enums_declare(Google__Protobuf__EnumDescriptorProto *const *types, size_t count,
                          const char *rest)
{
    for (size_t i = 0; i < count; i++) {
        if (is_last(rest, types[i]->name)) {
            return true;
        }
        for (size_t v = 0; v < types[i]->n_value; v++) {
            if (is_last(rest, types[i]->value[v]->name)) {
                return true;
            }
        }
    }
    return false;
}

static bool fields_declare(const Google__Protobuf__DescriptorProto *type, const char *rest)
{
    for (size_t i = 0; i < type->n_field; i++) {
        if (is_last(rest, type->field[i]->name)) {
            return true;
        }
    }
    for (size_t i = 0; i < type->n_oneof_decl; i++) {
        if (is_last(rest, type->oneof_decl[i]->name)) {
            return true;
        }
    }
    return false;
}

/* `messages_only`: whether anything but a message counts. As deep as messages are nested in our
 * files. */
static bool message_declares(const Google__Protobuf__DescriptorProto *type, const char *rest,
                             bool messages_only)
{
    if (!take(&rest, type->name)) {
        return false;
    }
    if (rest[0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < type->n_nested_type; i++) {
        if (message_declares(type->nested_type[i], rest, messages_only)) {
            return true;
        }
    }
    return !messages_only &&
           (fields_declare(type, rest) || enums_declare(type->enum_type, type->n_enum_type, rest));
}

static bool service_declares(const Google__Protobuf__ServiceDescriptorProto *service,
                             const char *rest)
{
    if (!take(&rest, service->name)) {
        return false;
    }
    if (rest[0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < service->n_method; i++) {
        if (is_last(rest, service->method[i]->name)) {
            return true;
        }
    }
    return false;
}

static bool file_declares(const Google__Protobuf__FileDescriptorProto *proto, const char *symbol,
                          bool messages_only)
{
    const char *rest = symbol;

    if (!take(&rest, proto->package)) {
        return false;
    }
    for (size_t i = 0; i < proto->n_message_type; i++) {
        if (message_declares(proto->message_type[i], rest, messages_only)) {
            return true;
        }
    }
    for (size_t i = 0; i < proto->n_service && !messages_only; i++) {
        if (service_declares(proto->service[i], rest)) {
            return true;
        }
    }
    return !messages_only && enums_declare(proto->enum_type, proto->n_enum_type, rest);
}

/* --- look-ups --- */

size_t kw_descriptors_count(const struct kw_descriptors *descriptors)
{
    return descriptors->count;
}

size_t kw_descriptors_by_name(const struct kw_descriptors *descriptors, const char *name)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        if (strcmp(descriptors->files[i].proto->name, name) == 0) {
            return i;
        }
    }
    return KW_DESCRIPTORS_NONE;
}

size_t kw_descriptors_by_symbol(const struct kw_descriptors *descriptors, const char *symbol)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        if (file_declares(descriptors->files[i].proto, symbol, false)) {
            return i;
        }
    }
    return KW_DESCRIPTORS_NONE;
}

bool kw_descriptors_has_message(const struct kw_descriptors *descriptors, const char *symbol)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        if (file_declares(descriptors->files[i].proto, symbol, true)) {
            return true;
        }
    }
    return false;
}

struct kw_bytes kw_descriptors_file(const struct kw_descriptors *descriptors, size_t file)
{
    return kw_buf_bytes(&descriptors->files[file].packed);
}

/* Imports come before their importers, so one walk from the file to the front finds all. */
void kw_descriptors_closure(const struct kw_descriptors *descriptors, size_t file,
                            bool *ret_members)
{
    memset(ret_members, 0, descriptors->count * sizeof(*ret_members));
    ret_members[file] = true;
    for (size_t i = file + 1; i-- > 0;) {
        const Google__Protobuf__FileDescriptorProto *proto = descriptors->files[i].proto;

        for (size_t d = 0; ret_members[i] && d < proto->n_dependency; d++) {
            size_t import = kw_descriptors_by_name(descriptors, proto->dependency[d]);

            if (import != KW_DESCRIPTORS_NONE) {
                ret_members[import] = true;
            }
        }
    }
}

void kw_descriptors_services(const struct kw_descriptors *descriptors,
                             void (*each)(const char *name, void *context), void *context)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        const Google__Protobuf__FileDescriptorProto *proto = descriptors->files[i].proto;

        for (size_t s = 0; s < proto->n_service; s++) {
            char name[KW_DESCRIPTORS_NAME_SIZE];

            (void)snprintf(name, sizeof(name), "%s.%s", proto->package, proto->service[s]->name);
            each(name, context);
        }
    }
}
