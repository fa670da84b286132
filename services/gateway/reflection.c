/* One question, one answer. */
#include "services/gateway/reflection.h"

#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#define REQUEST_IS(kind)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind
#define RESPONSE_IS(kind) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind

/* The answer as it grows; all of it lives in the arena. */
struct answer {
    const struct kw_descriptors *descriptors;
    struct kw_arena *arena;
    const Grpc__Reflection__V1__ServerReflectionRequest *request;
    Grpc__Reflection__V1__ServerReflectionResponse response;
};

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result say_unknown(struct answer *a, struct kw_error *err)
{
    Grpc__Reflection__V1__ErrorResponse *error = kw_arena_alloc(a->arena, sizeof(*error));

    KW_ENSURE(error != NULL, err, MEMORY, "reflection");
    grpc__reflection__v1__error_response__init(error);
    error->error_code = KW_GRPC_NOT_FOUND;
    error->error_message = kw_field_text("There is no such thing here.");
    a->response.message_response_case = RESPONSE_IS(ERROR_RESPONSE);
    a->response.error_response = error;
    return KW_OK;
}

/* The file and all that it imports: a client that asks once needs not ask again. */
static struct kw_result say_file(struct answer *a, size_t file, struct kw_error *err)
{
    size_t count = kw_descriptors_count(a->descriptors);
    Grpc__Reflection__V1__FileDescriptorResponse *files = kw_arena_alloc(a->arena, sizeof(*files));
    ProtobufCBinaryData *list = kw_arena_alloc(a->arena, count * sizeof(*list));
    bool *members = kw_arena_alloc(a->arena, count * sizeof(*members));

    if (file == KW_DESCRIPTORS_NONE) {
        return say_unknown(a, err);
    }
    KW_ENSURE(files != NULL && list != NULL && members != NULL, err, MEMORY, "reflection");
    grpc__reflection__v1__file_descriptor_response__init(files);
    kw_descriptors_closure(a->descriptors, file, members);
    for (size_t i = file + 1; i-- > 0;) { /* the file that was asked for comes first */
        if (members[i]) {
            list[files->n_file_descriptor_proto++] =
                kw_field_bytes(kw_descriptors_file(a->descriptors, i));
        }
    }
    files->file_descriptor_proto = list;
    a->response.message_response_case = RESPONSE_IS(FILE_DESCRIPTOR_RESPONSE);
    a->response.file_descriptor_response = files;
    return KW_OK;
}

/* No file of ours extends anything, so a type that exists has no extensions. */
static struct kw_result say_extensions(struct answer *a, const char *type, struct kw_error *err)
{
    Grpc__Reflection__V1__ExtensionNumberResponse *numbers =
        kw_arena_alloc(a->arena, sizeof(*numbers));

    if (!kw_descriptors_has_message(a->descriptors, type)) {
        return say_unknown(a, err);
    }
    KW_ENSURE(numbers != NULL, err, MEMORY, "reflection");
    grpc__reflection__v1__extension_number_response__init(numbers);
    numbers->base_type_name = kw_field_text(type);
    a->response.message_response_case = RESPONSE_IS(ALL_EXTENSION_NUMBERS_RESPONSE);
    a->response.all_extension_numbers_response = numbers;
    return KW_OK;
}

/* --- list_services --- */

struct service_list {
    struct kw_arena *arena;
    Grpc__Reflection__V1__ServiceResponse **list; /* NULL: only count */
    size_t count;
    bool failed;
};

static void count_service(const char *name, void *context)
{
    struct service_list *services = context;

    (void)name;
    services->count++;
}

static void add_service(const char *name, void *context)
{
    struct service_list *services = context;
    Grpc__Reflection__V1__ServiceResponse *service =
        kw_arena_alloc(services->arena, sizeof(*service));
    char *copy = kw_arena_text(services->arena, name, strlen(name));

    if (service == NULL || copy == NULL) {
        services->failed = true;
        return;
    }
    grpc__reflection__v1__service_response__init(service);
    service->name = copy;
    services->list[services->count++] = service;
}

static struct kw_result say_services(struct answer *a, struct kw_error *err)
{
    Grpc__Reflection__V1__ListServiceResponse *list = kw_arena_alloc(a->arena, sizeof(*list));
    struct service_list services = {.arena = a->arena};

    kw_descriptors_services(a->descriptors, count_service, &services);
    services.list = kw_arena_alloc(a->arena, services.count * sizeof(*services.list));
    KW_ENSURE(list != NULL && services.list != NULL, err, MEMORY, "reflection");
    services.count = 0;
    kw_descriptors_services(a->descriptors, add_service, &services);
    KW_ENSURE(!services.failed, err, MEMORY, "reflection");
    grpc__reflection__v1__list_service_response__init(list);
    list->n_service = services.count;
    list->service = services.list;
    a->response.message_response_case = RESPONSE_IS(LIST_SERVICES_RESPONSE);
    a->response.list_services_response = list;
    return KW_OK;
}

/* --- any question --- */

static struct kw_result say(struct answer *a, struct kw_error *err)
{
    const Grpc__Reflection__V1__ServerReflectionRequest *request = a->request;

    switch (request->message_request_case) {
    case REQUEST_IS(FILE_BY_FILENAME):
        return say_file(a, kw_descriptors_by_name(a->descriptors, request->file_by_filename), err);
    case REQUEST_IS(FILE_CONTAINING_SYMBOL):
        return say_file(
            a, kw_descriptors_by_symbol(a->descriptors, request->file_containing_symbol), err);
    case REQUEST_IS(ALL_EXTENSION_NUMBERS_OF_TYPE):
        return say_extensions(a, request->all_extension_numbers_of_type, err);
    case REQUEST_IS(LIST_SERVICES):
        return say_services(a, err);
    case REQUEST_IS(FILE_CONTAINING_EXTENSION):
    case REQUEST_IS(_NOT_SET):
    case _GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
        break;
    }
    return say_unknown(a, err);
}

struct kw_result kw_reflection_answer(const struct kw_descriptors *descriptors,
                                      struct kw_bytes request, struct kw_buf *out,
                                      struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct answer a = {.descriptors = descriptors, .arena = arena};
    ProtobufCMessage *message;
    struct kw_bytes packed;

    KW_ENSURE(arena != NULL, err, MEMORY, "reflection");
    KW_TRY(kw_message_unpack(&grpc__reflection__v1__server_reflection_request__descriptor, request,
                             arena, &message, err));
    a.request = (const Grpc__Reflection__V1__ServerReflectionRequest *)message;
    grpc__reflection__v1__server_reflection_response__init(&a.response);
    a.response.valid_host = a.request->host;
    a.response.original_request =
        (Grpc__Reflection__V1__ServerReflectionRequest *)(uintptr_t)a.request;
    KW_TRY(say(&a, err));
    KW_TRY(kw_arena_pack(arena, &a.response.base, &packed, err));
    return kw_buf_append(out, packed, err);
}
