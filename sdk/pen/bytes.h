/* Big-endian fields, as every Keyward format writes them. Private to sdk/pen. */
#ifndef KEYWARD_PEN_BYTES_H
#define KEYWARD_PEN_BYTES_H

#include <stdint.h>

static inline void kw_pen_put_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static inline void kw_pen_put_u32(uint8_t *out, uint32_t value)
{
    kw_pen_put_u16(out, (uint16_t)(value >> 16));
    kw_pen_put_u16(out + 2, (uint16_t)value);
}

static inline uint16_t kw_pen_get_u16(const uint8_t *in)
{
    return (uint16_t)(((unsigned)in[0] << 8) | in[1]);
}

static inline uint32_t kw_pen_get_u32(const uint8_t *in)
{
    return ((uint32_t)kw_pen_get_u16(in) << 16) | kw_pen_get_u16(in + 2);
}

#endif
