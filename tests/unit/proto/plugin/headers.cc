// Generated headers are C++ too: all shapes, called with their own types. Compiled, never run.
// names_rpc.h has an rpc called `delete`.
#include "bench_rpc.h"
#include "golden/names_rpc.h"
#include "golden/other_rpc.h"
#include "golden/rules_rpc.h"
#include "golden/shapes_rpc.h"
#include "google/rpc/error_details_rpc.h"
#include "grpc/health/v1/health_rpc.h"
#include "grpc/reflection/v1/reflection_rpc.h"
#include "grpc/reflection/v1alpha/reflection_rpc.h"
#include "grpc/testing/test_rpc.h"
#include "hearth/v1/attachment_rpc.h"
#include "hearth/v1/federation_rpc.h"
#include "hearth/v1/queue_rpc.h"

using Question = Hearth__Golden__V1__Question;
using Answer = Hearth__Golden__V1__Answer;

static enum hearth_code ask(struct hearth_call *, const Question *, Answer *, void *) { return HEARTH_OK; }
static enum hearth_code talk(struct hearth_call *, const Question *, void *) { return HEARTH_LATER; }

bool headers_compile(struct hearth_server *server, struct hearth_channel *channel);
bool headers_compile(struct hearth_server *server, struct hearth_channel *channel)
{
    static struct hearth_shapes_service impl = {};
    impl.ask = ask;
    impl.listen = talk;
    impl.tell = ask;
    impl.talk = talk;
    Question question;
    hearth__golden__v1__question__init(&question);
    Answer *answer = nullptr;
    struct hearth_shapes_talk_events events = {};
    struct hearth_stream *stream = hearth_shapes_listen_open(channel, nullptr, &question);
    answer = hearth_shapes_listen_read(stream);
    return hearth_server_add_shapes(server, &impl, nullptr) &&
           hearth_shapes_ask(channel, nullptr, &question, &answer, nullptr) == HEARTH_OK &&
           hearth_shapes_ask_start(channel, nullptr, &question, nullptr, nullptr) != nullptr &&
           hearth_shapes_talk_start(channel, nullptr, &events, nullptr) != nullptr;
}
