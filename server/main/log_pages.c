#include "server/main/log_pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/page_server.h"
#include "tlog/note.h"

#define WITNESS    "/witness/v1/"
#define CHECKPOINT "/checkpoint"

struct log_pages {
    struct transparency *transparency;
    struct federation *federation;
    struct hearth_loop *loop;
    struct page_server *server;
    pthread_t thread;
    bool started;
};

/* HASH/checkpoint */
static struct err witness_note(struct log_pages *p, const char *rest, struct page *page)
{
    const size_t len = strlen(rest), tail = sizeof CHECKPOINT - 1;
    if (len <= tail || strcmp(rest + len - tail, CHECKPOINT) != 0)
        return ERR(NOT_FOUND);
    page->type = "text/plain; charset=utf-8";
    return federation_witness_note(p->federation, bytes_of(rest, len - tail), &page->body);
}

static struct err post(void *self, const char *path, struct bytes body, struct page *page)
{
    struct log_pages *p = self;
    if (strcmp(path, WITNESS "add-checkpoint") != 0)
        return ERR(NOT_FOUND);
    page->status = federation_witness_add(p->federation, body, &page->body);
    page->type = page->status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8";
    return ERR_OK;
}

static struct err get(void *self, const char *path, struct page *page)
{
    struct log_pages *p = self;
    if (path[0] != '/')
        return ERR(NOT_FOUND);
    if (strncmp(path, WITNESS, sizeof WITNESS - 1) == 0)
        return witness_note(p, path + sizeof WITNESS - 1, page);
    if (strcmp(path, CHECKPOINT) == 0)
        page->type = "text/plain; charset=utf-8";
    return transparency_page(p->transparency, path + 1, &page->body, &page->forever);
}

static void *run(void *loop)
{
    hearth_loop_run(loop);
    return NULL;
}

struct err log_pages_open(struct transparency *t, struct federation *f, const char *address,
                          struct log_pages **ret_pages)
{
    struct log_pages *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR(NO_MEMORY);
    p->transparency = t;
    p->federation = f;
    p->loop = hearth_loop_new(NULL);
    struct err err =
        p->loop == NULL ? ERR(NO_MEMORY) : page_server_many(p->loop, address, get, p, &p->server);
    int why = errno;
    if (err_is_ok(err)) {
        page_server_posts(p->server, NOTE_MAX_BYTES, post);
        p->started = pthread_create(&p->thread, NULL, run, p->loop) == 0;
        err = p->started ? ERR_OK : ERR(NO_MEMORY);
    }
    if (!err_is_ok(err)) {
        log_pages_close(p);
        errno = why;
        return err;
    }
    *ret_pages = p;
    return ERR_OK;
}

void log_pages_close(struct log_pages *pages)
{
    if (pages == NULL)
        return;
    if (pages->started) {
        hearth_loop_stop(pages->loop);
        (void)pthread_join(pages->thread, NULL);
    }
    page_server_free(pages->server);
    if (pages->loop != NULL)
        hearth_loop_free(pages->loop);
    free(pages);
}
