/* The bytes of keyward.binpb. */
#ifndef KW_SERVICES_GATEWAY_DESCRIPTORS_BLOB_H
#define KW_SERVICES_GATEWAY_DESCRIPTORS_BLOB_H

#include "common/base/bytes.h"

/* A serialised google.protobuf.FileDescriptorSet; static. */
struct kw_bytes kw_descriptors_blob(void);

#endif
