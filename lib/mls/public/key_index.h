/* Sorted lists of node indices: see struct key_index in tree.h. Private to lib/mls/public. */
#ifndef MLS_PUBLIC_KEY_INDEX_H
#define MLS_PUBLIC_KEY_INDEX_H

#include "mls/public/tree.h"

typedef struct bytes key_index_key(const struct tree_node *node);

/* Of nodes 0, step, 2*step... that are not blank. False when out of memory. */
bool key_index_build(struct key_index *index, struct tree_node *const *nodes, uint32_t node_count,
                     uint32_t step, key_index_key *key_of);
void key_index_clear(struct key_index *index);
/* Does any key stand twice? */
bool key_index_has_twins(const struct key_index *index, struct tree_node *const *nodes,
                         key_index_key *key_of);
bool key_index_find(const struct key_index *index, struct tree_node *const *nodes,
                    key_index_key *key_of, struct bytes key, uint32_t *ret_node_index);

#endif
