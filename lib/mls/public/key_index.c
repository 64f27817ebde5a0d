#include "mls/public/key_index.h"

#include <stdlib.h>

struct order {
    struct tree_node *const *nodes;
    key_index_key *key_of;
};

static int by_key(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return bytes_compare(order->key_of(order->nodes[x]), order->key_of(order->nodes[y]));
}

bool key_index_build(struct key_index *index, struct tree_node *const *nodes, uint32_t node_count,
                     uint32_t step, key_index_key *key_of)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node_count; i += step)
        count += nodes[i] != NULL;
    uint32_t *sorted = malloc((count > 0 ? count : 1) * sizeof *sorted);
    if (sorted == NULL)
        return false;
    count = 0;
    for (uint32_t i = 0; i < node_count; i += step) {
        if (nodes[i] != NULL)
            sorted[count++] = i;
    }
    qsort_r(sorted, count, sizeof *sorted, by_key, &(struct order){nodes, key_of});
    *index = (struct key_index){sorted, count};
    return true;
}

void key_index_clear(struct key_index *index)
{
    free(index->sorted);
    *index = (struct key_index){0};
}

bool key_index_has_twins(const struct key_index *index, struct tree_node *const *nodes,
                         key_index_key *key_of)
{
    for (uint32_t i = 1; i < index->count; i++) {
        if (bytes_equal(key_of(nodes[index->sorted[i - 1]]), key_of(nodes[index->sorted[i]])))
            return true;
    }
    return false;
}

bool key_index_find(const struct key_index *index, struct tree_node *const *nodes,
                    key_index_key *key_of, struct bytes key, uint32_t *ret_node_index)
{
    uint32_t low = 0;
    uint32_t high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(key_of(nodes[index->sorted[middle]]), key);
        if (order == 0) {
            *ret_node_index = index->sorted[middle];
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
