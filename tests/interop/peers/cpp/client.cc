// The interoperability client on gRPC C++, to call our server.
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

#include "common.h"

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

namespace
{

constexpr int kRequests[] = {27182, 8, 1828, 45904}, kResponses[] = {31415, 9, 2653, 58979};
constexpr char kInitialValue[] = "test_initial_metadata_value", kTrailingValue[] = "\xab\xab\xab";

[[noreturn]] void fail(const std::string &why)
{
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

void check(bool holds, const std::string &why)
{
    if (!holds)
        fail(why);
}

void check_status(const Status &status, StatusCode code)
{
    check(status.error_code() == code, "status " + std::to_string(status.error_code()) + " (" +
                                           status.error_message() + "), want " +
                                           std::to_string(code));
}

void check_zeros(const Payload &payload, int size)
{
    check(payload.body() == std::string(size, '\0'),
          "a payload of " + std::to_string(payload.body().size()) +
              " bytes, want zeros: " + std::to_string(size));
}

struct Client {
    peer::Flags flags;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<TestService::Stub> stub;

    explicit Client(const peer::Flags &given) : flags(given)
    {
        connect();
    }

    void connect()
    {
        std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
        grpc::ChannelArguments arguments;
        if (flags.on("use_tls")) {
            grpc::SslCredentialsOptions options;
            if (flags.on("use_test_ca"))
                options.pem_root_certs = peer::credential("ca.pem");
            credentials = grpc::SslCredentials(options);
            if (!flags.text("server_host_override").empty())
                arguments.SetSslTargetNameOverride(flags.text("server_host_override"));
        }
        /* soak over new channels must make new connections */
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
        channel = grpc::CreateCustomChannel(
            flags.text("server_host") + ":" + flags.text("server_port"), credentials, arguments);
        stub = TestService::NewStub(channel);
    }
};

SimpleRequest large()
{
    SimpleRequest in;
    in.set_response_size(314159);
    in.mutable_payload()->set_body(std::string(271828, '\0'));
    return in;
}

StreamingOutputCallRequest output(int request_bytes, std::initializer_list<int> sizes)
{
    StreamingOutputCallRequest in;
    if (request_bytes > 0)
        in.mutable_payload()->set_body(std::string(request_bytes, '\0'));
    for (int size : sizes)
        in.add_response_parameters()->set_size(size);
    return in;
}

StreamingInputCallRequest input(int bytes)
{
    StreamingInputCallRequest in;
    in.mutable_payload()->set_body(std::string(bytes, '\0'));
    return in;
}

void unary(Client &client, ClientContext &context, const SimpleRequest &in)
{
    SimpleResponse out;
    check_status(client.stub->UnaryCall(&context, in, &out), StatusCode::OK);
    check_zeros(out.payload(), in.response_size());
}

/* ---- single calls ---- */

void empty_unary(Client &client)
{
    ClientContext context;
    Empty out;
    check_status(client.stub->EmptyCall(&context, Empty(), &out), StatusCode::OK);
}

void large_unary(Client &client)
{
    ClientContext context;
    unary(client, context, large());
}

void check_echo(ClientContext &context)
{
    const auto &initial = context.GetServerInitialMetadata();
    const auto &trailing = context.GetServerTrailingMetadata();
    auto a = initial.find(peer::kInitial), b = trailing.find(peer::kTrailing);
    check(a != initial.end() && a->second == kInitialValue, "initial metadata");
    check(b != trailing.end() && b->second == kTrailingValue, "trailing metadata");
}

void custom_metadata(Client &client)
{
    ClientContext first, second;
    for (ClientContext *context : {&first, &second}) {
        context->AddMetadata(peer::kInitial, kInitialValue);
        context->AddMetadata(peer::kTrailing, kTrailingValue);
    }
    unary(client, first, large());
    check_echo(first);
    auto stream = client.stub->FullDuplexCall(&second);
    StreamingOutputCallResponse item;
    stream->Write(output(271828, {314159}));
    stream->WritesDone();
    check(stream->Read(&item), "no response");
    check_zeros(item.payload(), 314159);
    check(!stream->Read(&item), "more responses");
    check_status(stream->Finish(), StatusCode::OK);
    check_echo(second);
}

void unary_status(Client &client, const std::string &text)
{
    ClientContext context;
    SimpleRequest in;
    SimpleResponse out;
    in.mutable_response_status()->set_code(2);
    in.mutable_response_status()->set_message(text);
    Status status = client.stub->UnaryCall(&context, in, &out);
    check_status(status, StatusCode::UNKNOWN);
    check(status.error_message() == text, "message " + status.error_message());
}

void status_code_and_message(Client &client)
{
    ClientContext context;
    StreamingOutputCallRequest in;
    StreamingOutputCallResponse item;
    unary_status(client, "test status message");
    in.mutable_response_status()->set_code(2);
    in.mutable_response_status()->set_message("test status message");
    auto stream = client.stub->FullDuplexCall(&context);
    stream->Write(in);
    stream->WritesDone();
    while (stream->Read(&item))
        ;
    Status status = stream->Finish();
    check_status(status, StatusCode::UNKNOWN);
    check(status.error_message() == "test status message", "message " + status.error_message());
}

void special_status_message(Client &client)
{
    unary_status(client, "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                         "\xf0\x9f\x98\x88\t\n");
}

void unimplemented_method(Client &client)
{
    ClientContext context;
    Empty out;
    check_status(client.stub->UnimplementedCall(&context, Empty(), &out),
                 StatusCode::UNIMPLEMENTED);
}

void unimplemented_service(Client &client)
{
    ClientContext context;
    Empty out;
    auto stub = UnimplementedService::NewStub(client.channel);
    check_status(stub->UnimplementedCall(&context, Empty(), &out), StatusCode::UNIMPLEMENTED);
}

/* ---- streams ---- */

void client_streaming(Client &client)
{
    ClientContext context;
    StreamingInputCallResponse out;
    auto stream = client.stub->StreamingInputCall(&context, &out);
    for (int size : kRequests)
        check(stream->Write(input(size)), "can't write");
    stream->WritesDone();
    check_status(stream->Finish(), StatusCode::OK);
    check(out.aggregated_payload_size() == 74922, "wrong count");
}

template <typename Stream> void read_sizes(Stream &stream)
{
    StreamingOutputCallResponse item;
    for (int size : kResponses) {
        check(stream->Read(&item), "too few responses");
        check_zeros(item.payload(), size);
    }
    check(!stream->Read(&item), "more responses");
    check_status(stream->Finish(), StatusCode::OK);
}

void server_streaming(Client &client)
{
    ClientContext context;
    auto stream = client.stub->StreamingOutputCall(
        &context, output(0, {kResponses[0], kResponses[1], kResponses[2], kResponses[3]}));
    read_sizes(stream);
}

void ping_pong(Client &client)
{
    ClientContext context;
    StreamingOutputCallResponse item;
    auto stream = client.stub->FullDuplexCall(&context);
    for (int i = 0; i < 4; i++) {
        check(stream->Write(output(kRequests[i], {kResponses[i]})), "can't write");
        check(stream->Read(&item), "no response");
        check_zeros(item.payload(), kResponses[i]);
    }
    stream->WritesDone();
    check(!stream->Read(&item), "more responses");
    check_status(stream->Finish(), StatusCode::OK);
}

void half_duplex(Client &client)
{
    ClientContext context;
    auto stream = client.stub->HalfDuplexCall(&context);
    for (int i = 0; i < 4; i++)
        check(stream->Write(output(kRequests[i], {kResponses[i]})), "can't write");
    stream->WritesDone();
    read_sizes(stream);
}

void empty_stream(Client &client)
{
    ClientContext context;
    StreamingOutputCallResponse item;
    auto stream = client.stub->FullDuplexCall(&context);
    stream->WritesDone();
    check(!stream->Read(&item), "a response to nothing");
    check_status(stream->Finish(), StatusCode::OK);
}

void cancel_after_begin(Client &client)
{
    ClientContext context;
    StreamingInputCallResponse out;
    auto stream = client.stub->StreamingInputCall(&context, &out);
    context.TryCancel();
    check_status(stream->Finish(), StatusCode::CANCELLED);
}

void cancel_after_first_response(Client &client)
{
    ClientContext context;
    StreamingOutputCallResponse item;
    auto stream = client.stub->FullDuplexCall(&context);
    stream->Write(output(27182, {31415}));
    check(stream->Read(&item), "no response");
    check_zeros(item.payload(), 31415);
    context.TryCancel();
    check_status(stream->Finish(), StatusCode::CANCELLED);
}

void timeout_on_sleeping_server(Client &client)
{
    ClientContext context;
    StreamingOutputCallResponse item;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    auto stream = client.stub->FullDuplexCall(&context);
    stream->Write(output(27182, {}));
    stream->Read(&item);
    check_status(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void slow_consumer(Client &client)
{
    ClientContext context;
    StreamingOutputCallRequest in;
    StreamingOutputCallResponse item;
    for (int i = 0; i < 2000; i++)
        in.add_response_parameters()->set_size(1030);
    auto stream = client.stub->StreamingOutputCall(&context, in);
    int count = 0;
    for (; stream->Read(&item); count++) {
        check_zeros(item.payload(), 1030);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    check(count == 2000, "too few responses");
    check_status(stream->Finish(), StatusCode::OK);
}

/* ---- gzip ---- */

void client_compressed_unary(Client &client)
{
    SimpleRequest in = large();
    SimpleResponse out;
    in.mutable_expect_compressed()->set_value(true);
    ClientContext probe, compressed, plain;
    check_status(client.stub->UnaryCall(&probe, in, &out), StatusCode::INVALID_ARGUMENT);
    compressed.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    unary(client, compressed, in);
    in.mutable_expect_compressed()->set_value(false);
    unary(client, plain, in);
}

void server_compressed_unary(Client &client)
{
    for (bool compressed : {true, false}) {
        ClientContext context;
        SimpleRequest in = large();
        in.mutable_response_compressed()->set_value(compressed);
        unary(client, context, in);
        check(peer::was_compressed(context) == compressed, "compression flag");
    }
}

void client_compressed_streaming(Client &client)
{
    ClientContext probing, context;
    StreamingInputCallResponse out;
    StreamingInputCallRequest in = input(27182);
    grpc::WriteOptions plain;
    plain.set_no_compression();
    in.mutable_expect_compressed()->set_value(true);
    probing.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    auto probe = client.stub->StreamingInputCall(&probing, &out);
    probe->Write(in, plain);
    probe->WritesDone();
    check_status(probe->Finish(), StatusCode::INVALID_ARGUMENT);

    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    auto stream = client.stub->StreamingInputCall(&context, &out);
    check(stream->Write(in), "can't write");
    in = input(45904);
    in.mutable_expect_compressed()->set_value(false);
    check(stream->Write(in, plain), "can't write");
    stream->WritesDone();
    check_status(stream->Finish(), StatusCode::OK);
    check(out.aggregated_payload_size() == 73086, "wrong count");
}

void server_compressed_streaming(Client &client)
{
    ClientContext context;
    StreamingOutputCallRequest in = output(0, {31415, 92653});
    StreamingOutputCallResponse item;
    in.mutable_response_parameters(0)->mutable_compressed()->set_value(true);
    in.mutable_response_parameters(1)->mutable_compressed()->set_value(false);
    auto stream = client.stub->StreamingOutputCall(&context, in);
    check(stream->Read(&item) && peer::was_compressed(context), "the first is not compressed");
    check_zeros(item.payload(), 31415);
    check(stream->Read(&item) && !peer::was_compressed(context), "the second is compressed");
    check_zeros(item.payload(), 92653);
    check(!stream->Read(&item), "more responses");
    check_status(stream->Finish(), StatusCode::OK);
}

/* ---- many calls ---- */

void rpc_soak(Client &client)
{
    for (int i = 0; i < 10; i++)
        large_unary(client);
}

void channel_soak(Client &client)
{
    for (int i = 0; i < 10; i++) {
        client.connect();
        large_unary(client);
    }
}

void pick_first_unary(Client &client)
{
    std::string first;
    for (int i = 0; i < 100; i++) {
        ClientContext context;
        SimpleRequest in;
        SimpleResponse out;
        in.set_fill_server_id(true);
        check_status(client.stub->UnaryCall(&context, in, &out), StatusCode::OK);
        if (i == 0)
            first = out.server_id();
        check(!first.empty() && out.server_id() == first, "answered by " + out.server_id());
    }
}

#define CASE(name)  \
    {               \
#name, name \
    }
const std::map<std::string, std::function<void(Client &)>> kCases = {
    CASE(empty_unary),
    CASE(large_unary),
    CASE(custom_metadata),
    CASE(status_code_and_message),
    CASE(special_status_message),
    CASE(unimplemented_method),
    CASE(unimplemented_service),
    CASE(client_streaming),
    CASE(server_streaming),
    CASE(ping_pong),
    CASE(half_duplex),
    CASE(empty_stream),
    CASE(cancel_after_begin),
    CASE(cancel_after_first_response),
    CASE(timeout_on_sleeping_server),
    CASE(slow_consumer),
    CASE(client_compressed_unary),
    CASE(server_compressed_unary),
    CASE(client_compressed_streaming),
    CASE(server_compressed_streaming),
    CASE(rpc_soak),
    CASE(channel_soak),
    CASE(pick_first_unary),
};

} // namespace

int main(int argc, char **argv)
{
    peer::Flags flags(argc, argv);
    auto found = kCases.find(flags.text("test_case"));
    if (found == kCases.end())
        fail("no test case " + flags.text("test_case"));
    Client client(flags);
    found->second(client);
    return 0;
}
