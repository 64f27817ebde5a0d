#include "support/damage.h"

#include "support/test.h"

static void try(struct bytes damaged, bool (*refused)(void *self, struct bytes damaged), void *self,
                const char *what, size_t where)
{
    uint8_t *copy = malloc(damaged.len == 0 ? 1 : damaged.len);
    assert_non_null(copy);
    if (damaged.len > 0)
        memcpy(copy, damaged.data, damaged.len);
    bool well = refused(self, bytes_of(copy, damaged.len));
    free(copy);
    if (!well)
        fail_msg("accepted although %s %zu", what, where);
}

void test_each_damage(struct bytes good, size_t most_bits,
                      bool (*refused)(void *self, struct bytes damaged), void *self)
{
    uint8_t *changed = malloc(good.len + 1);
    assert_non_null(changed);
    memcpy(changed, good.data, good.len);
    size_t step = good.len * 8 / most_bits + 1;
    for (size_t bit = 0; bit < good.len * 8; bit += step) {
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        try(bytes_of(changed, good.len), refused, self, "it differs in bit", bit);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    size_t stride = good.len / most_bits + 1;
    for (size_t len = 0; len < good.len; len += stride) {
        try(bytes_of(changed, len), refused, self, "cut after byte", len);
        try(bytes_of(changed + good.len - len, len), refused, self, "its last bytes alone are",
            len);
    }
    changed[good.len] = 0;
    try(bytes_of(changed, good.len + 1), refused, self, "a byte was added behind", good.len);
    free(changed);
}
