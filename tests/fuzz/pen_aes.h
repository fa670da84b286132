/* AES-256 for sdk/pen, from OpenSSL. */
#ifndef KW_TESTS_FUZZ_PEN_AES_H
#define KW_TESTS_FUZZ_PEN_AES_H

#include "sdk/pen/keyward_pen.h"

struct kw_pen_aes kw_fuzz_pen_aes(void);

#endif
