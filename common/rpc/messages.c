/* Descriptors by method; unpacking of checked bytes. */
#include "common/rpc/messages.h"

#include "common/rpc/arena_proto.h"
#include "common/rpc/protocheck.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "keyward/v1/device_service.pb-c.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/grant_service.pb-c.h"
#include "keyward/v1/key_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "keyward/v1/receipt_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "keyward/v1/status_service.pb-c.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &keyward__v1__device_access_service__descriptor, &keyward__v1__device_service__descriptor,
    &keyward__v1__enrollment_service__descriptor,    &keyward__v1__grant_service__descriptor,
    &keyward__v1__key_service__descriptor,           &keyward__v1__partner_service__descriptor,
    &keyward__v1__provisioning_service__descriptor,  &keyward__v1__receipt_service__descriptor,
    &keyward__v1__station_service__descriptor,       &keyward__v1__status_service__descriptor,
};

#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

const ProtobufCServiceDescriptor *const *kw_method_services(size_t *ret_count)
{
    *ret_count = SERVICE_COUNT;
    return services;
}

const ProtobufCMethodDescriptor *kw_method_messages(const struct kw_method *method)
{
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (strcmp(services[i]->name, method->service) == 0) {
            return protobuf_c_service_descriptor_get_method_by_name(services[i], method->name);
        }
    }
    return NULL;
}

struct kw_result kw_message_unpack(const ProtobufCMessageDescriptor *descriptor,
                                   struct kw_bytes bytes, struct kw_arena *arena,
                                   ProtobufCMessage **ret_message, struct kw_error *err)
{
    KW_TRY(kw_proto_check(descriptor, bytes, err));
    return kw_arena_unpack(arena, descriptor, bytes, ret_message, err);
}

/* The field's place in the unpacked struct, or NULL when the message has no such field of this
 * type. */
static const void *field_of(const ProtobufCMessage *message, const char *name, ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

    if (field == NULL || field->type != type || field->label == PROTOBUF_C_LABEL_REPEATED) {
        return NULL;
    }
    return (const uint8_t *)message + field->offset;
}

const char *kw_message_request_id(const ProtobufCMessage *message)
{
    const void *field = field_of(message, "request_id", PROTOBUF_C_TYPE_STRING);

    return field != NULL ? *(char *const *)field : "";
}

bool kw_message_validate_only(const ProtobufCMessage *message)
{
    const void *field = field_of(message, "validate_only", PROTOBUF_C_TYPE_BOOL);

    return field != NULL && *(const protobuf_c_boolean *)field != 0;
}
