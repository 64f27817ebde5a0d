#include "support/ways/ways.h"

#include <stdio.h>

#include "support/test.h"

/* Greetings of HTTP/2 pass, the answer does not. */
enum { ANSWER_LOST_BYTES = 90 };

static size_t find(const struct ways *w, struct bytes name)
{
    size_t i = 0;
    while (i < w->count && !bytes_equal(name, bytes_str(w->names[i])))
        i++;
    return i;
}

static void choose(void *self, const char *name, struct pipe_faults *faults)
{
    struct ways *w = self;
    const char *at = strchr(name, '@');
    *faults = (struct pipe_faults){0};
    if (at == NULL)
        return;
    size_t to = find(w, bytes_of(name, (size_t)(at - name))), from = find(w, bytes_str(at + 1));
    if (to == w->count || from == w->count)
        return; /* a client */
    w->dials[from][to]++;
    for (int way = 0; way < 2; way++)
        if (w->cut[from][to][way])
            faults->cut_after[way] = way == PIPE_TO_CLIENT ? ANSWER_LOST_BYTES : 1;
}

void ways_init(struct ways *w, struct hearth_loop *loop)
{
    *w = (struct ways){.loop = loop};
    loop->pipes.choose = choose;
    loop->pipes.choose_self = w;
}

void ways_add(struct ways *w, const char *name)
{
    assert_true(w->count < WAYS_HOMES);
    (void)snprintf(w->names[w->count++], sizeof w->names[0], "%s", name);
}

void ways_cut(struct ways *w, size_t from, size_t to, enum pipe_way way, bool cut)
{
    w->cut[from][to][way] = cut;
    if (cut)
        pipe_cut_all(w->loop);
}

void ways_heal(struct ways *w)
{
    memset(w->cut, 0, sizeof w->cut);
}
